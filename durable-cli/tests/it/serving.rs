//! `durable dashboard`: serves pages until it is ended.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::{database, program, soon};

#[tokio::test]
async fn the_dashboard_is_served_to_this_machine() {
    let database = database().await;
    let arguments = ["--database-url", &database.url, "-o", "ids", "dashboard", "--port", "0", "--read-only"];
    let mut child = program().args(arguments).spawn().unwrap();
    let mut url = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    soon("the address", out.read_line(&mut url)).await.unwrap();
    let address = url.trim().strip_prefix("http://").unwrap().trim_end_matches('/');

    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /executions HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    soon("the page", stream.read_to_string(&mut page)).await.unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("There are no executions yet.") && page.contains("read-only"),
        "{page}"
    );
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let database = database().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = database.durable(&["dashboard", "--port", &port]).await.refused(1);
    assert!(refused.contains(&port) && refused.contains("--port"), "{refused}");
}

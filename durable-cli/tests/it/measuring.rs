//! Measuring: `durable bench`.

use crate::support;

#[tokio::test]
async fn a_bench_says_what_it_measured_and_leaves_nothing_behind() {
    let database = support::database().await;
    let measured = database.durable(&["bench", "--executions", "300", "-o", "json"]).await.json();
    assert_eq!(measured["executions"], 300);
    let [seconds, per_second] = ["seconds", "per_second"].map(|name| measured[name].as_f64().unwrap());
    assert!((seconds * per_second - 300.0).abs() < 1e-6, "{measured}");
    let [median, slow] = ["p50_ms", "p99_ms"].map(|name| measured["alone"][name].as_f64().unwrap());
    assert!(0.0 < median && median <= slow, "{measured}");
    let left: i64 =
        database.value("select (select count(*) from durable.executions) + (select count(*) from durable.checkpoints)").await;
    assert_eq!(left, 0);

    let told = database.durable(&["bench", "--executions", "1", "--concurrency", "1"]).await.done();
    assert!(told.starts_with("1 executions of one step in ") && told.contains("one alone: "), "{told}");
}

#[tokio::test]
async fn a_bench_of_nothing_is_refused() {
    let database = support::database().await;
    for arguments in [&["--executions", "0"][..], &["--concurrency", "0"], &["-o", "ids"]] {
        database.durable(&[&["bench"], arguments].concat()).await.refused(2);
    }
}

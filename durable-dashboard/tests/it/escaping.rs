//! What users and workflows write is shown exactly, and never obeyed.

use crate::support::workflows::{Break, Echo, worker};
use crate::support::{Site, database, until};
use durable::ExecutionState;

/// 2^53 + 1: the first whole number that JavaScript cannot hold.
const LARGE: u64 = 9_007_199_254_740_993;

const WILD: &str = "</script><script>alert(1)</script> \"'& \u{202e}evil\u{2066} e\u{301}";

#[tokio::test]
async fn numbers_keep_their_digits_and_text_is_not_obeyed() {
    let database = database().await;
    let durable = worker(&database).await;
    let echo = durable.start::<Echo>((LARGE, WILD.to_owned())).await.unwrap();
    echo.result().await.unwrap();
    let broken = durable.start::<Break>(WILD.to_owned()).await.unwrap();
    until(&durable, broken.id(), ExecutionState::Failed).await;
    let site = Site::local(&durable).await;

    let page = site.get(&format!("/executions/{}", echo.id())).await.page();
    assert!(page.contains("9007199254740993"), "{page}");
    for path in [format!("/executions/{}", echo.id()), format!("/executions/{}", broken.id()), "/executions".to_owned()] {
        let page = site.get(&path).await.page();
        assert!(!page.contains("<script>"), "{path}: {page}");
        assert!(!page.contains(['\u{202e}', '\u{2066}']), "{path}: a mark that turns text around is shown as it is");
        assert!(
            path == "/executions" || page.contains("&lt;/script&gt;") && page.contains("\\u202eevil\\u2066 e\u{301}"),
            "{path}: {page}"
        );
        // Nothing that the policy forbids, whatever is shown.
        for forbidden in [" style=", "<style", "onclick", "onerror=", "javascript:"] {
            assert!(!page.contains(forbidden), "{path}: {forbidden}");
        }
    }
    let value = site.get(&format!("/executions/{}/value?of=output", echo.id())).await;
    assert_eq!(value.headers["content-type"], "application/json");
    let output: (u64, String) = serde_json::from_str(&value.page()).unwrap();
    assert_eq!(output, (LARGE, WILD.to_owned()));
    let twin = site.send("GET", &format!("/executions/{}", echo.id()), &[("accept", "application/json")], "").await;
    assert!(twin.body.contains("[9007199254740993,"), "{}", twin.body);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_large_value_is_cut_on_the_page_and_whole_behind_its_link() {
    let database = database().await;
    let durable = worker(&database).await;
    let text = "x".repeat(2_000_000);
    let echo = durable.start::<Echo>((1, text.clone())).await.unwrap();
    echo.result().await.unwrap();
    let site = Site::local(&durable).await;
    let page = site.get(&format!("/executions/{}", echo.id())).await.page();
    assert!(page.len() < 200_000, "{}", page.len());
    assert!(page.contains("value?of=step+repeat"), "{page}");
    let whole = site.get(&format!("/executions/{}/value?of=step+repeat", echo.id())).await.page();
    assert_eq!(serde_json::from_str::<(u64, String)>(&whole).unwrap().1, text);
    let missing = site.get(&format!("/executions/{}/value?of=step+gone", echo.id())).await.refused(404);
    assert!(missing.contains("has no value `step gone`"), "{missing}");
    durable.shutdown().await.unwrap();
}

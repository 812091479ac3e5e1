//! Compares expansions with the files in `tests/expansions`; `DURABLE_BLESS=1` writes them anew.

use crate::expand_workflow;
use std::path::{Path, PathBuf};
use syn::{File, Item, Meta};

#[test]
fn expansions_are_the_golden_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansions");
    let bless = std::env::var_os("DURABLE_BLESS").is_some();
    let mut inputs: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.retain(|path| !path.to_string_lossy().ends_with(".expanded.rs"));
    inputs.sort();
    assert!(!inputs.is_empty(), "no inputs in {}", folder.display());
    let mut stale = Vec::new();
    for input in inputs {
        let golden = input.with_extension("expanded.rs");
        let expansion = expansion_of(&std::fs::read_to_string(&input).unwrap());
        if bless {
            std::fs::write(&golden, &expansion).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != expansion {
            stale.push(format!("{}\n{expansion}", golden.display()));
        }
    }
    assert!(stale.is_empty(), "set DURABLE_BLESS=1 to accept these expansions:\n{}", stale.join("\n"));
}

/// With `crate = …` no expansion may name the default path.
#[test]
fn a_renamed_crate_leaves_no_default_path_behind() {
    let expansion = expansion_of(
        "#[workflow(crate = renamed)] impl Renamed {
            async fn run(&self, cx: &Context, n: u32) -> Result<u32> { self.twice(n).await }
            #[renamed::step(retry(max_attempts = 2), timeout = \"1s\")] async fn twice(&self, n: u32) -> Result<u32> { Ok(2 * n) }
        }",
    );
    assert!(expansion.contains("renamed::__macro::step_retried"), "{expansion}");
    assert!(!expansion.contains("durable"), "{expansion}");
}

/// Expands each `#[workflow]` of a file, as the compiler would.
fn expansion_of(source: &str) -> String {
    let file = syn::parse_file(source).unwrap();
    let mut items = Vec::new();
    for item in file.items {
        let Item::Impl(mut block) = item else { panic!("only impl blocks stand in an input") };
        let marker = block.attrs.remove(0);
        let options = match marker.meta {
            Meta::List(list) => list.tokens,
            _ => Default::default(),
        };
        items.extend(syn::parse2::<File>(expand_workflow(options, quote::quote!(#block))).unwrap().items);
    }
    prettyplease::unparse(&File { shebang: None, frontmatter: None, attrs: Vec::new(), items })
}

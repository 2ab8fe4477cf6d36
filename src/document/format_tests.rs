//! One page of each format, its code taken out, its errors brought back, its promises written anew.

use std::path::Path;

use super::compare::{Printed, differences};
use super::*;

/// Names and texts: `BAD` is in the code of one block, `OLD` is what another one promised to print.
const PAGES: &[(&str, &str)] = &[
    (
        "page.md",
        "# é😀\n\n> 1. words\n>\n>    ```py\n>    x = 'é😀'; BAD\n>    ```\n\n- ```py\n  print(40 + 2)\n  ```\n\n  ```output\n  OLD\n  ```\n",
    ),
    (
        "page.mdx",
        "import A from './a'\n\n<Tabs>\n  <Tab>\n      ```py\n      x = 1; BAD\n      ```\n  </Tab>\n</Tabs>\n\n```py\nprint(40 + 2)\n```\n\n```output\nOLD\n```\n",
    ),
    (
        "page.qmd",
        "---\ntitle: a\n---\n\n```{python}\n#| label: first\nx = 40\n```\n\n```{python}\nprint(x + 2)\n```\n\n```output\nOLD\n```\n\n```python\nif 1:\n    BAD\n```\n",
    ),
    (
        "page.rst",
        "Title\n=====\n\n.. code-block:: python\n   :caption: a\n\n   x = 1; BAD\n\n>>> print(40 + 2)\nOLD\n\nwords\n",
    ),
    (
        "page.adoc",
        "= Title\n\n[source,python]\n----\nif 1:\n    BAD\n----\n\n.A title\n[source,py]\n----\nprint(40 + 2)\n----\n\n[source,output]\n----\nOLD\n----\n",
    ),
    (
        "page.org",
        "* Title\n\n  #+begin_src python :results output\n    if 1:\n        BAD\n  #+end_src\n\n#+begin_src python\nprint(40 + 2)\n#+end_src\n\n#+RESULTS:\n: OLD\n\nwords\n",
    ),
    (
        "page.typ",
        "= Title\n\n#figure(\n  ```py\n  x = 1; BAD\n  ```\n)\n\n```py\nprint(40 + 2)\n```\n\n```output\nOLD\n```\n",
    ),
    (
        "page.html",
        "<p>a</p>\n<pre><code class=\"language-python\">if 1 &lt; 2: <b>BAD</b>\n</code></pre>\n<pre><code class=\"language-py\">print(\"&#52;2\")</code></pre>\n<pre class=\"output\">OLD</pre>\n",
    ),
    (
        "code.rs",
        "/// Words.\n///\n/// ```python\n/// if 1:\n///     BAD\n/// ```\nfn f() {}\n\n/**\n * ```py\n * print(40 + 2)\n * ```\n *\n * ```output\n * OLD\n * ```\n */\nfn g() {}\n",
    ),
    (
        "code.py",
        "def f():\n    \"\"\"Words.\n\n    >>> a = 40\n    >>> a + 2\n    OLD\n\n    .. code-block:: python\n\n       if 1:\n           BAD\n    \"\"\"\n",
    ),
    (
        "code.go",
        "// Package a does things.\n//\n//\tx := 1\n//\tprintln(x, BAD)\n//\n// More words:\n//\n//\timport \"fmt\"\n//\tfmt.Println(40 + 2)\n//\t// Output:\n//\t// OLD\npackage a\n",
    ),
    (
        "code.js",
        "/**\n * Words.\n * @example\n * if (1)\n *   BAD;\n *\n * @example <caption>a</caption>\n * console.log(40 + 2); // => OLD\n * @returns {number}\n */\nfunction f() {}\n",
    ),
    (
        "code.ts",
        "/**\n * ```js\n * if (1) {\n *   BAD;\n * }\n * ```\n *\n * ```py\n * print(40 + 2)\n * # Output: OLD\n * ```\n */\nfunction f() {}\n",
    ),
];

/// What a block that prints 42 would have printed.
fn printed(block: &Block) -> Printed {
    let inputs = block.transcript.iter().flat_map(|transcript| &transcript.examples);
    // An assignment prints nothing.
    let segments = inputs.map(|input| {
        let silent = input.output.is_empty();
        [if silent { String::new() } else { "42\n".to_owned() }, String::new()]
    });
    Printed { stdout: "42\n".to_owned(), stderr: String::new(), segments: segments.collect() }
}

#[test]
fn errors_and_promises_of_every_format_are_at_their_place() {
    assert_eq!(PAGES.len(), Format::ALL.len());
    for (name, text) in PAGES {
        let document = Text::new(*text);
        let page = Page::read(Format::of(None, Path::new(name)).unwrap(), &document);
        let bad = page.blocks.iter().position(|block| block.code.as_str().contains("BAD"));
        let bad = bad.unwrap_or_else(|| panic!("{name}: {:#?}", page.blocks));
        let mut languages = Languages::built_in().clone();
        // Whether TypeScript is built in is no matter of this test.
        if languages.named("typescript").is_none() {
            let row = Language { name: "typescript".to_owned(), ..languages.named("javascript").unwrap().clone() };
            languages.0.insert("typescript".to_owned(), row);
        }
        let program = program(&document, &page, bad, &languages, "n").unwrap();
        let at = program.snippet.program.as_str().find("BAD").unwrap();
        let place = program.snippet.map(&(at..at + 3)).unwrap_or_else(|| panic!("{name}: BAD is in the frame"));
        assert_eq!(&text[place.clone()], "BAD", "{name}");
        let here = page.at(&document, place.start);
        assert_eq!(here, Some(bad), "{name}: the block is found from its code");
        let mut new = (*text).to_owned();
        let mut count = 0;
        for block in page.blocks.iter().rev() {
            for difference in differences(block, &printed(block)).iter().rev() {
                let expectation = &block.expected[difference.expectation];
                let edit = update::rewrite(text, expectation, difference.seen.as_deref().unwrap_or("?"));
                let edit = edit.unwrap_or_else(|error| panic!("{name}: {error}"));
                new.replace_range(edit.range, &edit.text);
                count += 1;
            }
        }
        assert_eq!((new.as_str(), count), (text.replace("OLD", "42").as_str(), 1), "{name}");
    }
}

#[test]
fn a_page_with_a_new_output_block_has_that_promise() {
    for (name, text) in PAGES {
        let format = Format::of(None, Path::new(name)).unwrap();
        let page = Page::read(format, &Text::new(*text));
        let without = page.blocks.iter().filter(|block| block.expected.is_empty() && block.output.is_some());
        for block in without {
            let edit = update::insertion(text, block, "a\n\n<b>\n").unwrap();
            let mut new = (*text).to_owned();
            new.replace_range(edit.range, &edit.text);
            let again = Page::read(format, &Text::new(new.as_str()));
            assert_eq!(again.blocks.len(), page.blocks.len(), "{name}: {new}");
            let promised = again.blocks.iter().find(|other| other.range.start == block.range.start).unwrap();
            let promise = promised.expected.first().map(|promise| promise.text.as_str());
            assert_eq!(promise, Some("a\n\n<b>\n"), "{name}: {new}");
        }
    }
}

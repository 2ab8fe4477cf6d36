"""One page of each format: a block with a mistake, and one whose promise is old. `BAD` marks the mistake, `OLD` the promise."""

PAGES = {
    "page.md": "# é😀\n\n> 1. words\n>\n>    ```py\n>    x = 'é😀'; BAD\n>    ```\n\n- ```py\n  print(40 + 2)\n  ```\n\n  ```output\n  OLD\n  ```\n",
    "page.mdx": "import A from './a'\n\n<Tabs>\n  <Tab>\n      ```py\n      x = 1; BAD\n      ```\n  </Tab>\n</Tabs>\n\n```py\nprint(40 + 2)\n```\n\n```output\nOLD\n```\n",
    "page.qmd": "---\ntitle: a\n---\n\n```{python}\n#| label: first\nx = 40\n```\n\n```{python}\nprint(x + 2)\n```\n\n```output\nOLD\n```\n\n```python\nif 1:\n    BAD\n```\n",
    "page.rst": "Title\n=====\n\n.. code-block:: python\n   :caption: a\n\n   x = 1; BAD\n\n>>> print(40 + 2)\nOLD\n\nwords\n",
    "page.adoc": "= Title\n\n[source,python]\n----\nif 1:\n    BAD\n----\n\n.A title\n[source,py]\n----\nprint(40 + 2)\n----\n\n[source,output]\n----\nOLD\n----\n",
    "page.org": "* Title\n\n  #+begin_src python :results output\n    if 1:\n        BAD\n  #+end_src\n\n#+begin_src python\nprint(40 + 2)\n#+end_src\n\n#+RESULTS:\n: OLD\n\nwords\n",
    "page.typ": "= Title\n\n#figure(\n  ```py\n  x = 1; BAD\n  ```\n)\n\n```py\nprint(40 + 2)\n```\n\n```output\nOLD\n```\n",
    "page.html": "<p>a</p>\n<pre><code class=\"language-python\">if 1 &lt; 2: <b>BAD</b>\n</code></pre>\n<pre><code class=\"language-py\">print(\"&#52;2\")</code></pre>\n<pre class=\"output\">OLD</pre>\n",
    "code.rs": "/// Words.\n///\n/// ```python\n/// if 1:\n///     BAD\n/// ```\nfn f() {}\n\n/**\n * ```py\n * print(40 + 2)\n * ```\n *\n * ```output\n * OLD\n * ```\n */\nfn g() {}\n",
    "code.py": "def f():\n    \"\"\"Words.\n\n    >>> a = 40\n    >>> a + 2\n    OLD\n\n    .. code-block:: python\n\n       if 1:\n           BAD\n    \"\"\"\n",
    "code.go": "// Package a does things.\n//\n//\tx := 1\n//\tprintln(x, BAD)\n//\n// More words:\n//\n//\timport \"fmt\"\n//\tfmt.Println(40 + 2)\n//\t// Output:\n//\t// OLD\npackage a\n",
    "code.js": "/**\n * Words.\n * @example\n * if (1)\n *   BAD;\n *\n * @example <caption>a</caption>\n * console.log(40 + 2); // => OLD\n * @returns {number}\n */\nfunction f() {}\n",
    "code.ts": "/**\n * ```js\n * if (1) {\n *   BAD;\n * }\n * ```\n *\n * ```py\n * print(40 + 2)\n * # Output: OLD\n * ```\n */\nfunction f() {}\n",
}

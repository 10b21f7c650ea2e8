//! The files that are given to the readers: pieces of lines in all dialects, put together by a seeded generator.

/// Pieces of lines in all of the dialects, mostly hostile.
pub(super) const LINES: [&str; 62] = [
    "A=",
    "B=",
    "C=",
    "\nA=",
    "\nB=",
    "\nC=",
    "\nD=",
    "\nhttp_proxy=",
    "\nexport A=",
    "\nexport\tB=",
    "\nexport C",
    "\nA\n",
    "\nB \n",
    "\n A=",
    "\nA =",
    "\nA= ",
    "\nA-B=",
    "\nA.B=",
    "\n1A=",
    "\n=",
    "\n# A=",
    "\n;",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    " ",
    "  ",
    "\t",
    "x",
    "y z",
    "http://user:p%40ss@proxy.example:3128",
    "localhost,127.0.0.1,::1",
    "#",
    " #",
    "# c",
    "\"",
    "\"",
    "'",
    "'",
    "\"x y\"",
    "'x'",
    "\\",
    "\\\n",
    "\\n",
    "\\\"",
    "\\'",
    "\\$",
    "\\0101",
    "$",
    "$$",
    "$A",
    "${B}",
    "${C:-d}",
    "${",
    "}",
    ":",
    "~",
    "é",
    "`",
    "\u{feff}",
    "\u{a0}",
];

/// The same, but files of these are rarely refused.
pub(super) const TAME: [&str; 40] = [
    "\nA=",
    "\nB=",
    "\nC=",
    "\nD=",
    "\nhttp_proxy=",
    "\nA=\"",
    "\nB='",
    "\"\n",
    "'\n",
    "\nA\n",
    "\nB\n",
    "\n A=",
    "\n# c\n",
    "\n",
    "\r\n",
    " ",
    "x",
    "y",
    "-",
    "http://user:p%40ss@proxy.example:3128",
    "localhost,127.0.0.1,::1",
    "#",
    " # c",
    "\\n",
    "\\t",
    "\\\\",
    "\\$",
    "\\041",
    "\\0101",
    "\\07",
    "\\0400",
    "$",
    "$$",
    "$A",
    "${B}",
    "p$$ss",
    "{",
    "}",
    "é",
    "!",
];

/// Pieces of shell words.
pub(super) const WORD: [&str; 36] = [
    "x",
    "y",
    "http://user:p%40ss@proxy.example:3128",
    "localhost,127.0.0.1,::1",
    "'a b'",
    "'$A #'",
    "\"c d\"",
    "\"$A\"",
    "\"${B}x\"",
    "$A",
    "${B}",
    "$C",
    "\\ ",
    "\\$",
    "\\\"",
    "\\\n",
    "\"a\\\"b\\$c\\n\\`\\\\\"",
    "\"a\\\nb\"",
    "'a\nb'",
    "~",
    ":~",
    ":",
    "{a,b}",
    "*",
    "é",
    "\r",
    "#",
    "\"\"",
    "''",
    "=",
    "$",
    "$(printf 'q )')",
    "`printf z`",
    "${A:-d}",
    "$1",
    "!",
];

/// Statements: `N` stands for a name, `W` for a word, `S` for a statement, `P` for one without calls.
pub(super) const STATEMENTS: [&str; 49] = [
    "N=W",
    "N=W",
    "N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N",
    "export N",
    "export N N=W",
    "export N=W N=W # c ' \"",
    "unset N",
    "unset N N",
    "N=W N=W",
    "N=W true",
    "N=W :",
    "set -a",
    "set +a",
    "set -o allexport",
    "if true; then S; fi",
    "if false\nthen S\nelse S\nfi",
    "{ S; S; }",
    "(S)",
    "S && S",
    "S && S && S",
    "S || S",
    "S | S",
    "! S",
    "f() { P; }",
    "f() { if true; then P; fi; P; }\nf",
    "f W",
    "for N in W; do S; done",
    "while false; do S; done",
    "case W in x|'a b') S ;; (*) S ;; esac",
    "readonly N=W",
    ": W",
    "# comment ' \"",
    "cat >/dev/null <<E\nexport N=W\nE",
    "[ -n W ] && S",
    "true && S",
    "S >/dev/null 2>&1",
    "export -- N=W",
    ". /dev/null",
    "eval :",
    "N=W; export N",
    "N=W && export N",
    "return",
];

/// How many of them are without statements inside.
pub(super) const PLAIN: usize = 17;

/// Whole shell files, as people write them.
pub(super) const SHELL_FILES: [&str; 28] = [
    "export http_proxy=\"http://proxy:3128\"\nexport https_proxy=$http_proxy\nexport no_proxy='localhost,127.0.0.1'\n",
    "PROXY=http://proxy:3128\nhttp_proxy=$PROXY; https_proxy=$PROXY\nexport http_proxy https_proxy\n",
    "# c\nif [ -z \"$http_proxy\" ]; then\n  export http_proxy=x\nfi\nexport B=1\n",
    "case \"$A\" in\n  x|y) B=1 ;;\n  (*) C=1 ;;\nesac\nexport A=1 B C\n",
    "for A in x y; do\n  export B=$A\ndone\nexport D=z\n",
    "f() {\n  local A\n  export A=1\n}\nf x\nexport B=2\n",
    "cat >/dev/null <<EOF\nexport A=1\n'\nEOF\nexport B=1\n",
    "cat >/dev/null <<-'EOF'\n\texport A=$(x\n\tEOF\nexport B=1\n",
    "export A=$(printf 'x )' # it's )\n)\nexport B=`printf '%s' \"y\"`\nexport C=z\n",
    "export A=\"${B:-\"x}\"}\"\nexport C=1\n",
    "[ -f /nonexistent ] && . /nonexistent\nexport A=1\n",
    "export A=1\n[ -n \"$NOTHING\" ] || return 0\nexport B=1\n",
    "export A=1\nreturn\nexport A=2\n",
    "export A=1; exit 0\n",
    "while false; do export A=1; done\nuntil true; do unset B; done\nexport C=1\n",
    "A=1 B=2 true\nA=3 : \nexport C=\"a\\\nb\" D='a\\\nb'\n",
    "! ! true\nexport A=1\n",
    "(:) x\nexport A=1\n",
    "if (:) then export A=1; fi\nexport B=1\n",
    "export A=1\ntrue 2>&1\r\nexport B=1\n",
    "readonly D=1\nD=2 true\nexport A=1\n",
    "readonly D={a,b}\nexport A=1\n",
    "[ -z \"$NOTHING\" ] && return\nexport A=1\nif\n",
    "export A=1\ntime export A=2\n",
    "export A=1\nreturn nothing\n",
    "f() {\n  for v in A B; do eval \"export $v=1\"; done\n}\nf\nC=1 f\nexport C\n",
    "B=x C=y\nwhile false; do B=$C C=$D D=z; done\nexport A=$B\nuntil true; do A=2; done\n",
    "export A=1 B=2; { export C=3; unset B; }\n(export D=1)\ntrue || export D=2\n",
];

/// A seeded generator (splitmix64).
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        let base =
            std::env::var("ICS_SETUP_LAB_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121_u64);
        Generator(base.wrapping_mul(1000).wrapping_add(seed))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(super) fn factor() -> usize {
        std::env::var("ICS_SETUP_LAB_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    /// Statements that a shell takes, mostly: some files have a byte too many or too few. Only so many of the
    /// statements and words are used: the harmless come first.
    pub(super) fn shell_files(&mut self, count: usize, statements: usize, words: usize) -> Vec<Vec<u8>> {
        let (statements, words) = (&STATEMENTS[..statements], &WORD[..words]);
        (0..count * Self::factor())
            .map(|_| {
                let mut file = String::new();
                for _ in 0..1 + self.below(8) {
                    self.statement(statements, words, 0, &mut file);
                    file.push_str(
                        self.pick(&["\n", "\n", "\n", "\n", "\n", "\n", "\n", "\n", "; ", ";", " # c\n", "\r\n"]),
                    );
                }
                let mut file = file.into_bytes();
                let at = self.below(file.len());
                match self.below(16) {
                    0 => _ = file.remove(at),
                    1 => file.insert(at, b"'\"\\$`{}();&|<>#\xff\n"[self.below(17)]),
                    _ => {}
                }
                file
            })
            .collect()
    }

    pub(super) fn statement(&mut self, statements: &[&str], words: &[&str], depth: usize, file: &mut String) {
        for c in self.pick(statements).chars() {
            match c {
                'N' => file.push_str(self.pick(&["A", "B", "C", "D", "http_proxy"])),
                'W' => (0..self.below(4)).for_each(|_| file.push_str(self.pick(words))),
                'P' => self.statement(&STATEMENTS[..PLAIN], words, 3, file),
                'S' if depth < 3 => self.statement(statements, words, depth + 1, file),
                'S' => file.push_str("export A=deep"),
                c => file.push(c),
            }
        }
    }

    /// Files of such pieces: one line mostly, or several.
    pub(super) fn files(&mut self, pieces: &[&str], count: usize) -> Vec<Vec<u8>> {
        (0..count * Self::factor())
            .map(|_| {
                let length = 1 + self.below(12);
                let mut file = String::from(if self.below(3) == 0 { "" } else { "A=" });
                for _ in 0..length {
                    file.push_str(pieces[self.below(pieces.len())]);
                }
                if self.below(4) != 0 {
                    file.push('\n');
                }
                let mut file = file.into_bytes();
                if self.below(20) == 0 {
                    let at = self.below(file.len() + 1);
                    file.insert(at, 0xff);
                }
                file
            })
            .collect()
    }
}

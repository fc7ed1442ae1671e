//! What clients say: the `octroi` command and curl.

use std::{collections::BTreeMap, process::Output};

use serde_json::Value;

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Whether it succeeded.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// Fails the test unless it succeeded.
    pub fn expect(self) -> Self {
        assert!(self.ok, "failed: {}{}", self.out, self.err);
        self
    }

    /// Fails the test unless it was refused with these words.
    pub fn refused(self, words: &str) -> Self {
        assert!(!self.ok, "succeeded, but should have been refused: {}", self.out);
        assert!(self.err.contains(words), "refused with other words than `{words}`: {}", self.err);
        self
    }

    /// The one JSON value it printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }

    /// The JSON values it printed, one a line.
    pub fn json_lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
            .collect()
    }
}

/// What an HTTPS server answered to curl.
#[derive(Debug)]
pub struct Answer {
    /// The status; 0 when there was no answer.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// curl's own exit code.
    pub exit: i32,
}

impl Answer {
    /// From the output of `curl --include`.
    pub fn parse(output: Output) -> Self {
        let exit = output.status.code().unwrap_or(-1);
        let (head, body) = split(&output.stdout);
        let head = String::from_utf8_lossy(head).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Self { status, headers, body: body.to_vec(), exit }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Fails the test unless the status is this one.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "curl ended with {}: {}", self.exit, self.text());
        self
    }
}

/// Head and body; interim answers (100) are passed over.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return (bytes, &[]) };
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    if head.starts_with(b"HTTP/1.1 100") { split(body) } else { (head, body) }
}

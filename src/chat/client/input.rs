//! What is sent from a script: the lines of stdin, or of `--send`.

use std::io::{self, BufRead, Read};
use std::thread;

use serde::Deserialize;

use super::machine::{Note, Request};
use crate::core::event_loop::{Gone, Handle};
use crate::core::sanitise::sanitise;
use crate::error::{Error, Kind};

/// The longest line that is read. No server of ours takes a longer one.
const MAX_LINE: u64 = 1 << 20;

/// How the lines of stdin are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// As text.
    Text,
    /// As JSON objects, [`Spoken`].
    Json,
}

/// A line of stdin with `--json`. Unknown fields are ignored.
///
/// - `{"text":"hello"}`, with or without `"op":"line"`: says it, as if it were typed;
/// - `{"op":"history","after":12,"limit":50}`: asks for lines of the room with ids above 12; they come as
///   events, ended by `history_end`;
/// - `{"op":"ping"}`: asks for a `pong`;
/// - `{"op":"bye"}`: leaves, as the end of the input does, whatever else is waited for.
#[derive(Debug, Deserialize)]
struct Spoken {
    op: Option<String>,
    text: Option<String>,
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
}

/// How many lines `{"op":"history"}` means without a limit.
const DEFAULT_LIMIT: u32 = 1000;

/// Sends these lines instead of stdin's.
pub(super) fn send(lines: Vec<String>, handle: Handle<Note>) {
    thread::spawn(move || {
        let sent = lines
            .into_iter()
            .try_for_each(|line| handle.note(Note::Line(line)));
        // A loop that has ended has no use for more.
        let _ = sent.and_then(|()| handle.note(Note::InputEnded));
    });
}

/// Sends what stdin has.
pub(super) fn read(format: Format, handle: Handle<Note>) {
    thread::spawn(move || {
        // As above.
        let _ = read_all(&mut io::stdin().lock(), format, &|note| handle.note(note));
    });
}

/// Reads to the end, or to the first line that cannot be understood: what follows it might depend on it.
fn read_all(
    source: &mut impl BufRead,
    format: Format,
    post: &dyn Fn(Note) -> Result<(), Gone>,
) -> Result<(), Gone> {
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = source
            .by_ref()
            .take(MAX_LINE + 1)
            .read_until(b'\n', &mut line);
        match read {
            Ok(0) => return post(Note::InputEnded),
            Ok(_) => {}
            Err(error) => {
                let error = Error::new(Kind::Other, "cannot read stdin").because(error);
                return post(Note::InputBroken(error));
            }
        }
        let ended = line.pop_if(|byte| *byte == b'\n').is_some();
        line.pop_if(|byte| *byte == b'\r' && ended);
        if line.len() as u64 > MAX_LINE {
            let text = format!("line {number} of stdin is longer than 1 MiB");
            return post(Note::InputBroken(Error::new(Kind::Other, text)));
        }
        match note(&line, format, number) {
            Ok(Some(note)) => post(note)?,
            Ok(None) => {}
            Err(error) => return post(Note::InputBroken(error)),
        }
    }
    Ok(())
}

fn note(line: &[u8], format: Format, number: u64) -> Result<Option<Note>, Error> {
    if format == Format::Text {
        // Bytes that are no text are made visible here as the server would.
        let text = match str::from_utf8(line) {
            Ok(text) => text.to_string(),
            Err(_) => sanitise(line).into_owned(),
        };
        return Ok(Some(Note::Line(text)));
    }
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let wrong = |why: String| {
        Error::new(
            Kind::Usage,
            format!("cannot understand line {number} of stdin"),
        )
        .because(why)
        .hint("with --json a line is an object such as {\"text\":\"hello\"}")
    };
    let spoken: Spoken = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
    let request = match (spoken.op.as_deref(), spoken.text) {
        (None | Some("line"), Some(text)) => {
            if text.contains(['\n', '\r']) {
                return Err(wrong("the text has line ends in it".to_string()));
            }
            return Ok(Some(Note::Line(text)));
        }
        (None, None) => return Err(wrong("there is neither a text nor an op".to_string())),
        (Some("line"), None) => return Err(wrong("there is no text".to_string())),
        (Some("history"), _) => Request::History {
            after: spoken.after,
            limit: spoken.limit.unwrap_or(DEFAULT_LIMIT),
        },
        (Some("ping"), _) => Request::Ping,
        (Some("bye"), _) => return Ok(Some(Note::Line("/quit".to_string()))),
        (Some(op), _) => return Err(wrong(format!("there is no op {op}"))),
    };
    Ok(Some(Note::Request(request)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn notes(input: &[u8], format: Format) -> Vec<String> {
        let notes = RefCell::new(Vec::new());
        let post = |note: Note| {
            notes.borrow_mut().push(match note {
                Note::Line(text) => text,
                Note::InputBroken(error) => format!("broken: {error}"),
                note => format!("{note:?}"),
            });
            Ok(())
        };
        read_all(&mut &input[..], format, &post).expect("a loop");
        notes.into_inner()
    }

    #[test]
    fn the_lines_of_stdin_are_sent_with_lf_or_crlf_and_without() {
        assert_eq!(
            notes(b"a\r\nb\n\n\xffc", Format::Text),
            ["a", "b", "", "\\xffc", "InputEnded"]
        );
    }

    #[test]
    fn a_line_of_json_is_a_text_or_an_op() {
        let input = br#"{"text":"hi","x":1}
{"op":"line","text":"there"}

{"op":"history","after":3}
{"op":"bye"}
"#;
        assert_eq!(
            notes(input, Format::Json),
            [
                "hi",
                "there",
                "Request(History { after: 3, limit: 1000 })",
                "/quit",
                "InputEnded"
            ]
        );
    }

    #[test]
    fn what_follows_a_bad_line_is_not_sent() {
        for (line, why) in [
            ("hello", "expected value at line 1 column 1"),
            ("{}", "there is neither a text nor an op"),
            (r#"{"op":"fly"}"#, "there is no op fly"),
            (r#"{"text":"a\nb"}"#, "the text has line ends in it"),
        ] {
            let input = format!("{{\"text\":\"a\"}}\n{line}\n{{\"text\":\"b\"}}\n");
            assert_eq!(
                notes(input.as_bytes(), Format::Json),
                [
                    "a".to_string(),
                    format!("broken: cannot understand line 2 of stdin: {why}")
                ]
            );
        }
    }

    #[test]
    fn a_line_over_the_limit_ends_the_input_with_an_error() {
        let mut input = vec![b'x'; MAX_LINE as usize];
        input.push(b'\n');
        assert_eq!(notes(&input, Format::Text).len(), 2, "the limit fits");
        input.insert(0, b'x');
        assert_eq!(
            notes(&input, Format::Text),
            ["broken: line 1 of stdin is longer than 1 MiB"]
        );
    }
}

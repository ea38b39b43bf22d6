//! Is every line at every receiver: whole, once, in order?
//!
//! The check must cost little, because the load generator shares a small machine with the server. What a
//! sender sends is therefore a function of its number and the line's: each line is made once, kept while it
//! is open, and a receiver's copy is compared with it as a whole. Which line is due is known, so nothing is
//! looked up and no number is parsed unless something is wrong.
//!
//! Layout of a line's text, [`TEXT`] bytes: `~`, the sender in 2 digits, a space, the line's number in 10
//! digits, a space, and letters that depend on both. With the line feed that makes 100 bytes.

use std::time::Instant;

/// Bytes of a line without what ends it.
pub const TEXT: usize = 99;

/// As many as two digits can name.
pub const MAX_SENDERS: usize = 100;

/// Ends the lines by which the generator learns that everybody hears everybody. They are not counted.
pub const PROBE: &[u8] = b"is everybody here?";

const MARK: u8 = b'~';
const SENDER: std::ops::Range<usize> = 1..3;
const NUMBER: std::ops::Range<usize> = 4..14;

/// Writes the text of a line.
pub fn compose(sender: usize, number: u64) -> [u8; TEXT] {
    let mut text = [b' '; TEXT];
    text[0] = MARK;
    write_digits(&mut text[SENDER], sender as u64);
    write_digits(&mut text[NUMBER], number);
    let turn = (number % 26) as usize + sender;
    for (at, byte) in text[NUMBER.end + 1..].iter_mut().enumerate() {
        *byte = b'a' + ((at * 7 + turn) % 26) as u8;
    }
    text
}

fn write_digits(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn read_digits(field: &[u8]) -> Option<u64> {
    field.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u64::from(digit - b'0'))
    })
}

/// Finds the text in a line as it came, which may have a prefix. `None`: not one of ours, or not whole.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, text) = line.split_at(line.len().checked_sub(TEXT)?);
    (text[0] == MARK).then_some((prefix, text))
}

fn shown(line: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(line))
}

/// A line that not all have received.
#[derive(Clone)]
struct Open {
    text: [u8; TEXT],
    received: usize,
    sent: Instant,
}

/// One sender, as seen by all.
struct Sender {
    /// The open lines, at their number modulo the length.
    ring: Vec<Open>,
    /// Lines sent, and lines received by all.
    sent: u64,
    closed: u64,
    /// What stood before its first line, and must stand before each.
    prefix: Option<Vec<u8>>,
}

/// What a receiver that was away is told to have missed, and what it got.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// Lines that came, each whole and in order.
    pub lines: u64,
    /// Lines missing between them.
    pub missing: u64,
}

/// What is strict about the server.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The same order at all receivers, not only per sender.
    pub same_order: bool,
    /// The same prefix before all lines of one sender.
    pub same_prefix: bool,
}

fn other_order(receiver: usize, known: u8, sender: u8) -> String {
    format!(
        "receiver {receiver}: another order than at others: a line of sender {sender} where one of sender {known} was due"
    )
}

/// Checks what receivers get against what senders sent. Receivers `0..senders` are the senders.
pub struct Checker {
    rules: Rules,
    senders: Vec<Sender>,
    /// The next line due, by receiver and sender.
    due: Vec<u64>,
    /// How many receive a line: all but its sender, and but those who are excused.
    audience: usize,
    /// The order of senders in the room, as the receiver that is ahead saw it.
    order: Vec<u8>,
    /// How far each receiver is in it. For a sender, what it saw and has not been compared yet.
    place: Vec<usize>,
    ahead: Vec<std::collections::VecDeque<u8>>,
    /// Receivers that saw a probe.
    pub present: Vec<bool>,
    /// Lines received by one receiver each.
    pub deliveries: u64,
    /// Times from sending to each receipt, in nanoseconds, when they are wanted.
    pub latencies: Option<Vec<u64>>,
}

impl Checker {
    /// `open`: the most lines that a sender may have open.
    pub fn new(receivers: usize, senders: usize, open: usize, rules: Rules) -> Self {
        let unused = Open {
            text: [0; TEXT],
            received: 0,
            sent: Instant::now(),
        };
        let sender = |_| Sender {
            ring: vec![unused.clone(); open],
            sent: 0,
            closed: 0,
            prefix: None,
        };
        Self {
            rules: Rules {
                // Senders do not see their own lines: only a mere listener knows the order of all.
                same_order: rules.same_order && receivers > senders,
                ..rules
            },
            senders: (0..senders).map(sender).collect(),
            due: vec![0; receivers * senders],
            audience: receivers.saturating_sub(1),
            order: Vec::new(),
            place: vec![0; receivers],
            ahead: vec![std::collections::VecDeque::new(); senders],
            present: vec![false; receivers],
            deliveries: 0,
            latencies: None,
        }
    }

    /// How many more lines `sender` may send now.
    pub fn room(&self, sender: usize) -> usize {
        let sender = &self.senders[sender];
        sender.ring.len() - (sender.sent - sender.closed) as usize
    }

    /// The next line of `sender`, sent `now`. Only while there is [`Checker::room`].
    pub fn send(&mut self, sender: usize, now: Instant) -> &[u8; TEXT] {
        let state = &mut self.senders[sender];
        let slot = (state.sent % state.ring.len() as u64) as usize;
        let text = compose(sender, state.sent);
        state.ring[slot] = Open {
            text,
            received: 0,
            sent: now,
        };
        state.sent += 1;
        &state.ring[slot].text
    }

    /// Lines sent so far.
    pub fn sent(&self) -> u64 {
        self.senders.iter().map(|sender| sender.sent).sum()
    }

    /// Whether all lines are with all receivers.
    pub fn settled(&self) -> bool {
        self.senders.iter().all(|s| s.sent == s.closed)
    }

    /// One receiver is not waited for any more. Only while all is settled.
    pub fn excuse_one(&mut self) {
        self.audience -= 1;
    }

    /// Takes in what `receiver` got, and says how many bytes that makes in whole lines. Lines that are not
    /// from a sender go to `other`.
    pub fn feed(
        &mut self,
        receiver: usize,
        bytes: &[u8],
        now: Instant,
        mut other: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some(len) = memchr::memchr(b'\n', &bytes[used..]) {
            let line = &bytes[used..used + len];
            used += len + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some((prefix, text)) = split(line) {
                self.line(receiver, prefix, text, now)?;
            } else if line.ends_with(PROBE) {
                self.present[receiver] = true;
            } else {
                other(line)
                    .map_err(|what| format!("receiver {receiver}: {what}: {}", shown(line)))?;
            }
        }
        if self.rules.same_order && receiver < self.ahead.len() {
            self.compare_order_of_sender(receiver)?;
        }
        Ok(used)
    }

    fn line(
        &mut self,
        receiver: usize,
        prefix: &[u8],
        text: &[u8],
        now: Instant,
    ) -> Result<(), String> {
        let number = usize::from(text[SENDER.start].wrapping_sub(b'0')) * 10
            + usize::from(text[SENDER.start + 1].wrapping_sub(b'0'));
        let count = self.senders.len();
        if number >= count || number == receiver {
            return Err(self.what_is_wrong(receiver, number, text));
        }
        let sender = &mut self.senders[number];
        let due = &mut self.due[receiver * count + number];
        let slot = (*due % sender.ring.len() as u64) as usize;
        let open = &mut sender.ring[slot];
        if *due >= sender.sent || open.text[..] != *text {
            return Err(self.what_is_wrong(receiver, number, text));
        }
        match &sender.prefix {
            Some(known) if known == prefix => {}
            None => sender.prefix = Some(prefix.to_vec()),
            Some(_) if !self.rules.same_prefix => {}
            Some(known) => {
                return Err(format!(
                    "receiver {receiver}: a line of sender {number} is attributed to {} and not to {}",
                    shown(prefix),
                    shown(known)
                ));
            }
        }
        *due += 1;
        self.deliveries += 1;
        open.received += 1;
        if let Some(latencies) = &mut self.latencies {
            latencies.push(now.duration_since(open.sent).as_nanos() as u64);
        }
        if open.received == self.audience {
            sender.closed += 1;
        }
        if self.rules.same_order {
            self.note_order(receiver, number as u8)?;
        }
        Ok(())
    }

    fn note_order(&mut self, receiver: usize, sender: u8) -> Result<(), String> {
        if let Some(ahead) = self.ahead.get_mut(receiver) {
            ahead.push_back(sender);
            return Ok(());
        }
        let place = &mut self.place[receiver];
        match self.order.get(*place) {
            None => self.order.push(sender),
            Some(&known) if known == sender => {}
            Some(&known) => return Err(other_order(receiver, known, sender)),
        }
        *place += 1;
        Ok(())
    }

    /// A sender's view has no lines of its own, so it is laid over the order once others have set that.
    fn compare_order_of_sender(&mut self, receiver: usize) -> Result<(), String> {
        while let Some(&known) = self.order.get(self.place[receiver]) {
            if usize::from(known) != receiver {
                match self.ahead[receiver].front() {
                    None => break,
                    Some(&sender) if sender == known => {
                        self.ahead[receiver].pop_front();
                    }
                    Some(&sender) => return Err(other_order(receiver, known, sender)),
                }
            }
            self.place[receiver] += 1;
        }
        Ok(())
    }

    /// Compares what is left when all lines are with all receivers.
    pub fn finish(&mut self) -> Result<(), String> {
        if self.rules.same_order {
            for sender in 0..self.ahead.len() {
                self.compare_order_of_sender(sender)?;
            }
        }
        Ok(())
    }

    /// For the message, when it is known that something is.
    fn what_is_wrong(&self, receiver: usize, number: usize, text: &[u8]) -> String {
        let line = shown(text);
        if number >= self.senders.len() {
            return format!("receiver {receiver}: a line of nobody: {line}");
        }
        if number == receiver {
            return format!("receiver {receiver}: its own line came back: {line}");
        }
        let due = self.due[receiver * self.senders.len() + number];
        let verdict = match read_digits(&text[NUMBER]) {
            Some(got) if text[..] != compose(number, got) => "damaged",
            None => "damaged",
            Some(got) if got < due => "twice, or late",
            Some(got) if got > due => "too early: lines before it are lost or late",
            Some(_) => "never sent",
        };
        format!(
            "receiver {receiver}: line {due} of sender {number} was due, what came is {verdict}: {line}"
        )
    }

    /// Who waits for what: for the message when nothing comes any more.
    pub fn what_is_missing(&self) -> String {
        let count = self.senders.len();
        let receivers = self.due.len() / count.max(1);
        let waits = |receiver: usize| {
            (0..count)
                .find(|&s| s != receiver && self.due[receiver * count + s] < self.senders[s].sent)
        };
        let waiting: Vec<_> = (0..receivers)
            .filter_map(|r| Some((r, waits(r)?)))
            .collect();
        match waiting.first() {
            None => "no line is missing".to_string(),
            Some((receiver, sender)) => format!(
                "{} receivers miss lines, the first of them is receiver {receiver} with line {} of sender {sender}",
                waiting.len(),
                self.due[receiver * count + sender]
            ),
        }
    }

    /// The same as [`Checker::feed`] for a receiver that was excused: lines may be missing, but those that
    /// come are whole, in order and none of them twice.
    pub fn feed_late(
        &mut self,
        receiver: usize,
        bytes: &[u8],
        late: &mut Late,
        mut other: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some(len) = memchr::memchr(b'\n', &bytes[used..]) {
            let line = &bytes[used..used + len];
            used += len + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some((_, text)) = split(line) else {
                other(line)
                    .map_err(|what| format!("receiver {receiver}: {what}: {}", shown(line)))?;
                continue;
            };
            let sender = read_digits(&text[SENDER]).unwrap_or(u64::MAX) as usize;
            let number = read_digits(&text[NUMBER]).unwrap_or(u64::MAX);
            let count = self.senders.len();
            let wrong = sender >= count
                || sender == receiver
                || number < self.due[receiver * count + sender]
                || number >= self.senders[sender].sent
                || compose(sender, number) != *text;
            if wrong {
                return Err(self.what_is_wrong(receiver, sender, text));
            }
            let due = &mut self.due[receiver * count + sender];
            late.missing += number - *due;
            late.lines += 1;
            *due = number + 1;
        }
        Ok(used)
    }
}

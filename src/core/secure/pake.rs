//! Two ends that know the same code find out that they do, and nobody else learns it: SPAKE2, bound to the channel
//! that it runs in. As a machine: bytes in, bytes out.
//!
//! The only file that names spake2. Inside a channel (TLS) whose two ends have a secret of their own in common, the
//! *binding* (RFC 9266's exporter), the initiator and the listener say
//!
//! ```text
//! both, at once     element        33 bytes: a letter for the side, a point of Ed25519's curve
//! initiator         confirmation   32 bytes: HMAC-SHA-256 under the key that came out
//! listener          confirmation   the same with its own label; only if the initiator's was right
//! ```
//!
//! A confirmation is over its sender's label, the binding and both elements. So
//!
//! - whoever sits in between has two channels and two bindings, and can confirm neither, whatever it passes on;
//! - a message that comes back to its sender has the wrong side and the wrong label;
//! - a recorded session has another binding and other elements;
//! - who guesses the code has one guess for each session, and the listener sees that it was wrong: it says nothing of
//!   the code before. Elements alone tell nothing, so nobody can go on guessing without it.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::code::Code;

/// What the two ends of a channel, and nobody else, know of it: 32 bytes, another 32 for each channel.
pub type Binding = [u8; 32];

/// The length of an element: one for the side, 32 for the compressed point.
const ELEMENT: usize = 33;

/// The length of a confirmation.
const CONFIRMATION: usize = 32;

/// In whose name each end speaks. They are a part of the key.
const INITIATOR: &[u8] = b"sockkit code 1 initiator";
const LISTENER: &[u8] = b"sockkit code 1 listener";

/// Which end this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It has connected.
    Initiator,
    /// It was connected to.
    Listener,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Initiator => Side::Listener,
            Side::Listener => Side::Initiator,
        }
    }

    fn label(self) -> &'static [u8] {
        match self {
            Side::Initiator => INITIATOR,
            Side::Listener => LISTENER,
        }
    }
}

/// Why there is no agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// The other end has another code, or is somebody in between.
    WrongCode,
    /// It says something that is no message of this exchange.
    Malformed,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Disagreement::WrongCode => "the other end has another code",
            Disagreement::Malformed => "the other end does not speak of codes",
        })
    }
}

impl std::error::Error for Disagreement {}

enum Stage {
    /// The other's element is awaited.
    Element(Spake2<Ed25519Group>),
    /// The other's confirmation is awaited.
    Confirmation(Confirmations),
    Agreed,
    Failed(Disagreement),
}

struct Confirmations {
    ours: Zeroizing<[u8; CONFIRMATION]>,
    /// Compared in constant time.
    theirs: Hmac<Sha256>,
}

/// One end of the exchange.
pub struct Agreement {
    side: Side,
    element: Vec<u8>,
    stage: Stage,
    output: Vec<u8>,
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreement")
            .field("side", &self.side)
            .field("agreed", &self.is_agreed())
            .finish_non_exhaustive()
    }
}

impl Agreement {
    /// Begins. There is something to say at once. The random numbers are the system's: with others that a test could
    /// repeat there would be no secret.
    pub fn new(side: Side, code: &Code) -> Self {
        let password = Password::new(code.expose().as_bytes());
        let (initiator, listener) = (Identity::new(INITIATOR), Identity::new(LISTENER));
        let (state, element) = match side {
            Side::Initiator => Spake2::start_a(&password, &initiator, &listener),
            Side::Listener => Spake2::start_b(&password, &initiator, &listener),
        };
        Self {
            side,
            output: element.clone(),
            element,
            stage: Stage::Element(state),
        }
    }

    /// What is to be sent now.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// How many bytes are awaited; 0: none any more, all that follows belongs to others.
    pub fn wanted(&self) -> usize {
        match &self.stage {
            Stage::Element(_) => ELEMENT,
            Stage::Confirmation(_) => CONFIRMATION,
            Stage::Agreed | Stage::Failed(_) => 0,
        }
    }

    /// Takes a message of the length that is [`Agreement::wanted`]. `binding` is of this channel, and the same each
    /// time.
    pub fn receive(&mut self, binding: &Binding, message: &[u8]) -> Result<(), Disagreement> {
        if message.len() != self.wanted() {
            return self.fail(Disagreement::Malformed);
        }
        match std::mem::replace(&mut self.stage, Stage::Agreed) {
            Stage::Element(state) => {
                let Ok(key) = state.finish(message).map(Zeroizing::new) else {
                    return self.fail(Disagreement::Malformed);
                };
                let Some(confirmations) = self.confirmations(&key, binding, message) else {
                    return self.fail(Disagreement::Malformed);
                };
                if self.side == Side::Initiator {
                    self.output.extend_from_slice(&*confirmations.ours);
                }
                self.stage = Stage::Confirmation(confirmations);
                Ok(())
            }
            Stage::Confirmation(confirmations) => {
                if confirmations.theirs.verify_slice(message).is_err() {
                    return self.fail(Disagreement::WrongCode);
                }
                if self.side == Side::Listener {
                    self.output.extend_from_slice(&*confirmations.ours);
                }
                Ok(())
            }
            Stage::Agreed => Ok(()),
            Stage::Failed(why) => self.fail(why),
        }
    }

    /// The other end sends no more. A listener that was told a wrong code ends in this way: it does not confirm.
    pub fn end_of_input(&mut self) -> Result<(), Disagreement> {
        match (&self.stage, self.side) {
            (Stage::Agreed, _) => Ok(()),
            (Stage::Confirmation(_), Side::Initiator) => self.fail(Disagreement::WrongCode),
            (Stage::Failed(why), _) => Err(*why),
            _ => self.fail(Disagreement::Malformed),
        }
    }

    /// Whether the other end has proved that it knows the code.
    pub fn is_agreed(&self) -> bool {
        matches!(self.stage, Stage::Agreed)
    }

    /// Whether the other end has all of ours and says only whether it is right.
    pub fn awaits_verdict(&self) -> bool {
        self.side == Side::Initiator && matches!(self.stage, Stage::Confirmation(_))
    }

    /// Whether the next message decides if the other end has the right code, and it is this end that decides.
    pub fn judges(&self) -> bool {
        self.side == Side::Listener && matches!(self.stage, Stage::Confirmation(_))
    }

    fn fail(&mut self, why: Disagreement) -> Result<(), Disagreement> {
        self.stage = Stage::Failed(why);
        self.output.clear();
        Err(why)
    }

    fn confirmations(&self, key: &[u8], binding: &Binding, theirs: &[u8]) -> Option<Confirmations> {
        let (initiator, listener) = match self.side {
            Side::Initiator => (self.element.as_slice(), theirs),
            Side::Listener => (theirs, self.element.as_slice()),
        };
        let of = |side: Side| {
            // All parts but the label have one length, and the labels are not each other's beginnings.
            let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            mac.update(side.label());
            mac.update(binding);
            mac.update(initiator);
            mac.update(listener);
            Some(mac)
        };
        let ours = of(self.side)?.finalize().into_bytes();
        Some(Confirmations {
            ours: Zeroizing::new(ours.into()),
            theirs: of(self.side.other())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHANNEL: Binding = [1; 32];

    fn code(text: &str) -> Code {
        Code::parse(text).expect("a code")
    }

    fn pair(initiator: &str, listener: &str) -> (Agreement, Agreement) {
        (
            Agreement::new(Side::Initiator, &code(initiator)),
            Agreement::new(Side::Listener, &code(listener)),
        )
    }

    /// Both elements, then the initiator's confirmation, are delivered; what the listener says to it.
    fn up_to_the_listener(
        ann: &mut Agreement,
        bob: &mut Agreement,
        bindings: (&Binding, &Binding),
    ) -> Result<(), Disagreement> {
        let (from_ann, from_bob) = (ann.take_output(), bob.take_output());
        ann.receive(bindings.0, &from_bob)?;
        bob.receive(bindings.1, &from_ann)?;
        assert!(bob.take_output().is_empty(), "the listener speaks last");
        bob.receive(bindings.1, &ann.take_output())
    }

    #[test]
    fn the_same_code_agrees_and_both_know() {
        let (mut ann, mut bob) = pair("417-amber-falcon-river", "417 AMBER Falcon riv");
        up_to_the_listener(&mut ann, &mut bob, (&CHANNEL, &CHANNEL)).expect("agreed");
        assert!(bob.is_agreed() && !ann.is_agreed());
        ann.receive(&CHANNEL, &bob.take_output()).expect("agreed");
        assert!(ann.is_agreed());
        assert_eq!((ann.wanted(), bob.wanted()), (0, 0));
        assert!(ann.take_output().is_empty());
    }

    /// As `docs/transfer-protocol.md` has it, computed by another program.
    #[test]
    fn a_confirmation_is_over_the_label_the_binding_and_both_elements() {
        let expected = [
            (
                Side::Initiator,
                "394739e659c41686d41691a14619e99c3e845ee9afd257b1985a554f0970517b",
            ),
            (
                Side::Listener,
                "52f89f48249881d8f47e4f6ee66b4f625d58f70fded4b834498c77e45efe44be",
            ),
        ];
        for (side, ours) in expected {
            let mut end = Agreement::new(side, &code("the right code"));
            let (own, theirs) = match side {
                Side::Initiator => ([b'A'; ELEMENT], [b'B'; ELEMENT]),
                Side::Listener => ([b'B'; ELEMENT], [b'A'; ELEMENT]),
            };
            end.element = own.to_vec();
            let made = end.confirmations(&[7; 32], &CHANNEL, &theirs);
            let hex: String = made
                .expect("a key of any length")
                .ours
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(hex, ours);
        }
    }

    #[test]
    fn another_code_is_seen_by_the_listener_which_then_tells_nothing() {
        let (mut ann, mut bob) = pair("417-amber-falcon-river", "418-amber-falcon-river");
        let seen = up_to_the_listener(&mut ann, &mut bob, (&CHANNEL, &CHANNEL));
        assert_eq!(seen, Err(Disagreement::WrongCode));
        assert!(bob.take_output().is_empty());
        assert!(!bob.is_agreed());
        assert_eq!(ann.end_of_input(), Err(Disagreement::WrongCode));
        // There is no second try.
        assert_eq!(bob.receive(&CHANNEL, &[]), Err(Disagreement::WrongCode));
    }

    #[test]
    fn who_sits_in_between_and_passes_everything_on_is_seen() {
        let (mut ann, mut bob) = pair("the right code", "the right code");
        let seen = up_to_the_listener(&mut ann, &mut bob, (&[1; 32], &[2; 32]));
        assert_eq!(seen, Err(Disagreement::WrongCode));
    }

    #[test]
    fn who_sits_in_between_without_the_code_can_confirm_to_neither() {
        let (mut ann, mut bob) = pair("the right code", "the right code");
        let (mut to_ann, mut to_bob) = (
            Agreement::new(Side::Listener, &code("a wrong guess")),
            Agreement::new(Side::Initiator, &code("a wrong guess")),
        );
        let seen = up_to_the_listener(&mut to_bob, &mut bob, (&[2; 32], &[2; 32]));
        assert_eq!(seen, Err(Disagreement::WrongCode));
        let seen = up_to_the_listener(&mut ann, &mut to_ann, (&[1; 32], &[1; 32]));
        assert_eq!(seen, Err(Disagreement::WrongCode));
        // It may claim to have seen the right one all the same.
        for guess in [[0; CONFIRMATION], [255; CONFIRMATION]] {
            let (mut ann, mut bob) = pair("the right code", "the right code");
            let (_, from_bob) = (ann.take_output(), bob.take_output());
            ann.receive(&CHANNEL, &from_bob).expect("an element");
            let seen = ann.receive(&CHANNEL, &guess);
            assert_eq!(seen, Err(Disagreement::WrongCode));
        }
    }

    #[test]
    fn what_comes_back_to_its_sender_is_refused() {
        for side in [Side::Initiator, Side::Listener] {
            let mut ann = Agreement::new(side, &code("the right code"));
            let own = ann.take_output();
            assert_eq!(ann.receive(&CHANNEL, &own), Err(Disagreement::Malformed));
        }
        // The same with the side's letter changed, and the confirmation after it.
        let mut ann = Agreement::new(Side::Initiator, &code("the right code"));
        let mut own = ann.take_output();
        own[0] = b'B';
        ann.receive(&CHANNEL, &own).expect("an element");
        let confirmation = ann.take_output();
        let seen = ann.receive(&CHANNEL, &confirmation);
        assert_eq!(seen, Err(Disagreement::WrongCode));
    }

    #[test]
    fn a_recorded_session_opens_no_other() {
        let (mut ann, mut bob) = pair("the right code", "the right code");
        let (element, from_bob) = (ann.take_output(), bob.take_output());
        ann.receive(&CHANNEL, &from_bob).expect("an element");
        let confirmation = ann.take_output();
        // To the same listener, in a new channel and even in the same one: its element is another.
        for binding in [[1; 32], [2; 32]] {
            let mut again = Agreement::new(Side::Listener, &code("the right code"));
            again.take_output();
            again.receive(&binding, &element).expect("an element");
            let seen = again.receive(&binding, &confirmation);
            assert_eq!(seen, Err(Disagreement::WrongCode));
        }
    }

    #[test]
    fn an_end_in_the_middle_is_no_agreement() {
        let (mut ann, mut bob) = pair("the right code", "the right code");
        assert!(ann.end_of_input().is_err());
        let element = Agreement::new(Side::Initiator, &code("the right code")).take_output();
        bob.receive(&CHANNEL, &element).expect("an element");
        assert_eq!(bob.end_of_input(), Err(Disagreement::Malformed));
        assert!(!ann.is_agreed() && !bob.is_agreed());
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic_or_agree(
            first in prop::collection::vec(any::<u8>(), 0..40),
            second in prop::collection::vec(any::<u8>(), 0..40),
            listens: bool,
        ) {
            let side = if listens { Side::Listener } else { Side::Initiator };
            let mut end = Agreement::new(side, &code("the right code"));
            let _ = end.receive(&CHANNEL, &first);
            let _ = end.receive(&CHANNEL, &second);
            let _ = end.end_of_input();
            prop_assert!(!end.is_agreed());
        }

        #[test]
        fn any_bit_that_is_changed_on_the_way_is_noticed(at in 8usize..(ELEMENT + CONFIRMATION) * 8) {
            let (mut ann, mut bob) = pair("the right code", "the right code");
            let (mut element, from_bob) = (ann.take_output(), bob.take_output());
            ann.receive(&CHANNEL, &from_bob).expect("an element");
            let mut confirmation = ann.take_output();
            match at / 8 {
                byte if byte < ELEMENT => element[byte] ^= 1 << (at % 8),
                byte => confirmation[byte - ELEMENT] ^= 1 << (at % 8),
            }
            let seen = bob
                .receive(&CHANNEL, &element)
                .and_then(|()| bob.receive(&CHANNEL, &confirmation));
            prop_assert!(seen.is_err());
            prop_assert!(!bob.is_agreed());
        }
    }
}

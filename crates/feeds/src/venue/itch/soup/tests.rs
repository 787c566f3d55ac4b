//! Conversations as scripts: what is sent and what is passed on.

use proptest::prelude::*;

use super::*;
use crate::venue::itch::transport::Notes;

fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (1 + payload.len() as u16).to_be_bytes();
    [&length[..], &[kind], payload].concat()
}

fn accepted_at(session: &[u8; 10], sequence: &str) -> Vec<u8> {
    packet(b'A', format!("{}{sequence:>20}", String::from_utf8_lossy(session)).as_bytes())
}

fn client() -> Client {
    client_from(1)
}

/// One that wants all from a number on.
fn client_from(sequence: u64) -> Client {
    let (user, password, session) = ("user".into(), "secret".into(), String::new());
    Client::new(Login { user, password, session, sequence })
}

#[test]
fn it_logs_in_takes_messages_and_goes_on_after_a_break() {
    let (mut client, mut notes) = (client(), Notes::default());
    client.connected(5, &mut notes);
    let login = format!("Luser  secret    {:>10}{:>20}", "", 1);
    assert_eq!(notes.sent, [packet(b'L', &login.as_bytes()[1..])]);
    assert_eq!(notes.sent[0].len(), 49);
    client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
    client.receive(&packet(b'S', b"one"), &mut notes);
    client.receive(&packet(b'+', b"debug"), &mut notes);
    client.receive(&packet(b'H', b""), &mut notes);
    client.receive(&packet(b'S', b"two"), &mut notes);
    client.receive(&packet(b'S', b"cut")[..3], &mut notes);
    client.disconnected();
    client.connected(6, &mut notes);
    let login = format!("Luser  secret    {:>10}{:>20}", "SESSION", 3);
    assert_eq!(notes.sent[1], packet(b'L', &login.as_bytes()[1..]));
    client.receive(&accepted_at(b"   SESSION", "3"), &mut notes);
    client.receive(&packet(b'S', b"three"), &mut notes);
    client.receive(&packet(b'Z', b""), &mut notes);
    assert_eq!(notes.numbers(), [1, 2, 3]);
    let ended = "Reconnect { reason: \"the venue ended the session\" }";
    assert_eq!(notes.events, ["Begins { whole: true }", "Resumed", "Ended", ended]);
}

#[test]
fn what_the_venue_has_no_more_is_lost_and_another_session_begins() {
    let (mut client, mut notes) = (client(), Notes::default());
    client.connected(0, &mut notes);
    client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
    client.receive(&packet(b'S', b"one"), &mut notes);
    for (session, sequence) in [(b"   SESSION", "9"), (b"  SESSION2", "1"), (b"  SESSION2", "7")] {
        client.disconnected();
        client.connected(0, &mut notes);
        client.receive(&accepted_at(session, sequence), &mut notes);
    }
    let expected = [
        "Begins { whole: true }",
        "Lost { messages: 7 }",
        "Begins { whole: true }",
        "Lost { messages: 6 }",
    ];
    assert_eq!(notes.events, expected);
}

#[test]
fn it_says_each_second_that_it_is_there() {
    let (mut client, mut notes) = (client(), Notes::default());
    client.timer(0, &mut notes);
    assert!(notes.sent.is_empty() && notes.wake.is_none());
    client.connected(5, &mut notes);
    assert_eq!(notes.wake, Some(5 + HEARTBEAT));
    client.timer(HEARTBEAT, &mut notes);
    assert_eq!(notes.sent.len(), 1);
    client.timer(5 + HEARTBEAT, &mut notes);
    assert_eq!(notes.sent[1], packet(b'R', b""));
    assert_eq!(notes.wake, Some(5 + 2 * HEARTBEAT));
    client.log_out(6 + HEARTBEAT, &mut notes);
    assert_eq!(notes.sent.len(), 2, "nobody is in yet");
    client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
    client.log_out(6 + HEARTBEAT, &mut notes);
    client.timer(9 * HEARTBEAT, &mut notes);
    assert_eq!(notes.sent[2..], [packet(b'O', b"")]);
}

#[test]
fn a_refusal_and_what_cannot_be_read_are_told() {
    let (mut client, mut notes) = (client(), Notes::default());
    client.connected(0, &mut notes);
    client.receive(&packet(b'?', b"what"), &mut notes);
    client.receive(&[0, 0], &mut notes);
    client.receive(&packet(b'J', b"A"), &mut notes);
    client.timer(u64::MAX, &mut notes);
    assert_eq!(notes.sent.len(), 1, "it does not insist");
    let refused = "Rejected { reason: \"login refused: wrong user or password\" }";
    let leave = "Reconnect { reason: \"login refused: wrong user or password\" }";
    assert_eq!(notes.events, ["Unknown", "no a packet type", refused, leave]);
    notes.events.clear();
    client.disconnected();
    client.connected(0, &mut notes);
    client.receive(&packet(b'A', b"short"), &mut notes);
    let leave = "Reconnect { reason: \"the answer to the login cannot be read\" }";
    assert_eq!(notes.events, ["no a session and a number", leave]);
    assert!(!format!("{client:?}").contains("secret"));
}

/// The session and the number that the latest login asked for.
fn asked(notes: &Notes) -> (String, String) {
    let login = notes.sent.iter().rfind(|packet| packet[2] == b'L').unwrap();
    let field = |from: usize, to: usize| String::from_utf8_lossy(&login[from..to]).into_owned();
    (field(19, 29).trim().to_owned(), field(29, 49).trim().to_owned())
}

/// Opens a connection; returns what it asked for.
fn log_in(client: &mut Client, notes: &mut Notes) -> (String, String) {
    client.disconnected();
    client.connected(0, notes);
    asked(notes)
}

fn wish(session: &str, sequence: &str) -> (String, String) {
    (session.to_owned(), sequence.to_owned())
}

#[test]
fn after_the_end_of_a_session_the_next_is_asked_for_from_its_beginning() {
    let (mut client, mut notes) = (client(), Notes::default());
    assert_eq!(log_in(&mut client, &mut notes), wish("", "1"));
    client.receive(&accepted_at(b"    MONDAY", "1"), &mut notes);
    client.receive(&packet(b'S', b"one"), &mut notes);
    client.receive(&packet(b'Z', b""), &mut notes);
    client.receive(&packet(b'H', b""), &mut notes);
    client.receive(&packet(b'S', b"late"), &mut notes);
    notes.events.clear();
    // The same is still there: nothing of it is asked for, or taken, again.
    assert_eq!(log_in(&mut client, &mut notes), wish("", "2"));
    client.receive(&accepted_at(b"    MONDAY", "2"), &mut notes);
    client.receive(&packet(b'Z', b""), &mut notes);
    assert_eq!(log_in(&mut client, &mut notes), wish("", "2"));
    client.receive(&accepted_at(b"   TUESDAY", "2"), &mut notes);
    assert_eq!(log_in(&mut client, &mut notes), wish("TUESDAY", "1"));
    client.receive(&accepted_at(b"   TUESDAY", "1"), &mut notes);
    client.receive(&packet(b'S', b"two"), &mut notes);
    let leave = |reason: &str| format!("Reconnect {{ reason: \"{reason}\" }}");
    let expected = [
        "Resumed".to_owned(),
        "Ended".to_owned(),
        leave("the venue ended the session"),
        leave("another session began"),
        "Begins { whole: true }".to_owned(),
        "Resumed".to_owned(),
    ];
    assert_eq!(notes.events, expected);
    assert_eq!(notes.numbers(), [1, 1]);
}

#[test]
fn what_came_before_the_break_is_not_taken_twice() {
    let (mut client, mut notes) = (client(), Notes::default());
    log_in(&mut client, &mut notes);
    client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
    for message in [b"one", b"two", b"six"] {
        client.receive(&packet(b'S', message), &mut notes);
    }
    notes.events.clear();
    // It does not begin where it was asked to, and is cut off before it comes to that.
    assert_eq!(log_in(&mut client, &mut notes), wish("SESSION", "4"));
    client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
    client.receive(&packet(b'S', b"one"), &mut notes);
    assert_eq!(log_in(&mut client, &mut notes), wish("SESSION", "2"));
    client.receive(&accepted_at(b"   SESSION", "3"), &mut notes);
    client.receive(&packet(b'S', b"six"), &mut notes);
    client.receive(&packet(b'S', b"new"), &mut notes);
    assert_eq!(notes.events, ["Resumed", "Repeated", "Resumed", "Repeated"]);
    assert_eq!(notes.numbers(), [1, 2, 3, 4]);
    assert_eq!(notes.messages[3].1, b"new");
}

#[test]
fn a_session_that_is_refused_is_left_for_any_and_then_for_its_beginning() {
    let (mut client, mut notes) = (client_from(500), Notes::default());
    assert_eq!(log_in(&mut client, &mut notes), wish("", "500"));
    client.receive(&accepted_at(b"   SESSION", "500"), &mut notes);
    assert_eq!(notes.events, ["Begins { whole: false }"]);
    for expected in [wish("SESSION", "500"), wish("", "500"), wish("", "500")] {
        assert_eq!(log_in(&mut client, &mut notes), expected);
        client.receive(&packet(b'J', b"S"), &mut notes);
    }
    let mut news = client_from(0);
    assert_eq!(log_in(&mut news, &mut notes), wish("", "0"));
}

#[test]
fn a_login_that_is_not_answered_is_given_up() {
    let (mut client, mut notes) = (client(), Notes::default());
    log_in(&mut client, &mut notes);
    client.receive(&packet(b'H', b""), &mut notes);
    client.timer(ANSWER - 1, &mut notes);
    assert!(notes.events.is_empty());
    client.timer(ANSWER, &mut notes);
    assert_eq!(notes.events, ["Reconnect { reason: \"the login was not answered\" }"]);
}

#[test]
fn fields_of_a_login_are_checked_before_they_are_cut_off() {
    assert_eq!(Login::check("PASSWORD10", Login::PASSWORD_LENGTH), Ok(()));
    assert_eq!(Login::check("", Login::SESSION_LENGTH), Ok(()));
    assert_eq!(Login::check("SEVENED", Login::USER_LENGTH), Err(BadLogin::TooLong));
    for bad in ["a b", "tab\t", "\u{e9}"] {
        assert_eq!(Login::check(bad, Login::USER_LENGTH), Err(BadLogin::Character));
    }
}

proptest! {
    #[test]
    fn chunks_change_nothing(cuts in proptest::collection::vec(0usize..30, 1..20)) {
        let mut bytes = accepted_at(b"   SESSION", "1");
        for number in 1..40u8 {
            bytes.extend(packet(b'S', &vec![number; usize::from(number)]));
        }
        let (mut client, mut notes, mut rest) = (client(), Notes::default(), &bytes[..]);
        for cut in cuts.iter().cycle().take(2_000) {
            let (chunk, after) = rest.split_at(rest.len().min(*cut));
            client.receive(chunk, &mut notes);
            rest = after;
        }
        client.receive(rest, &mut notes);
        prop_assert_eq!(notes.numbers(), (1..40).collect::<Vec<u64>>());
        prop_assert!(notes.messages.iter().all(|(n, m)| *n == Some(m.len() as u64)));
    }

    #[test]
    fn any_bytes_are_taken(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let (mut client, mut notes) = (client(), Notes::default());
        client.connected(0, &mut notes);
        for chunk in &chunks {
            client.receive(&packet(b'A', chunk), &mut notes);
            client.receive(chunk, &mut notes);
            client.timer(u64::MAX, &mut notes);
        }
    }
}

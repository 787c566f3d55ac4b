//! `tickwire topics`: what there is to subscribe to.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::{DEFAULT_HTTP_URL, printable, still_read};

/// List the broker's topics with their kind, last seq and what else the broker says of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tickwire topics                         every topic
  tickwire topics 'quote.sim.*'           the quotes of one venue; quote the pattern for the shell
  tickwire topics 'book.>' --json | jq .  one JSON object for each topic")]
pub struct TopicsArguments {
    /// Only topics that match: `*` stands for one segment, a final `>` for one or more
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,

    /// Where the broker listens
    #[arg(long, value_name = "URL", default_value = DEFAULT_HTTP_URL)]
    pub url: String,

    /// Print one JSON object for each topic instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Deserialize)]
struct Listing {
    topics: Vec<Topic>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Topic {
    topic: String,
    kind: String,
    /// The symbol as the venue spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    native: Option<String>,
    epoch: String,
    seq: u64,
    /// Events that are held for those who ask for history.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribers: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    error: Words,
}

#[derive(Debug, Deserialize)]
struct Words {
    code: String,
    message: String,
}

/// Asks the broker and prints its answer.
///
/// # Errors
/// When the broker cannot be reached or refuses the pattern.
pub async fn run(arguments: TopicsArguments) -> anyhow::Result<()> {
    let query: Vec<_> = arguments.pattern.iter().map(|p| ("pattern", p.as_str())).collect();
    let answer = client::http::get(&arguments.url, "/topics", &query).await?;
    if answer.status != 200 {
        let said = match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(Refusal { error }) => format!("{} ({})", error.message, error.code),
            Err(_) => {
                let body = String::from_utf8_lossy(&answer.body);
                format!("HTTP {} {}", answer.status, body.trim())
            }
        };
        bail!("the broker refused: {}", printable(&said));
    }
    let listing: Listing = serde_json::from_slice(&answer.body)
        .context("the answer is no list of topics: is this a tickwire broker?")?;
    let text = if arguments.json { lines(&listing.topics)? } else { table(&listing.topics) };
    let mut output = std::io::stdout().lock();
    still_read(output.write_all(text.as_bytes()).and_then(|()| output.flush()))?;
    if listing.topics.is_empty() && !arguments.json {
        match &arguments.pattern {
            Some(pattern) => eprintln!("no topic matches {pattern}"),
            None => eprintln!("no topics yet"),
        }
    }
    Ok(())
}

fn lines(topics: &[Topic]) -> anyhow::Result<String> {
    let mut text = String::new();
    for topic in topics {
        text.push_str(&serde_json::to_string(topic)?);
        text.push('\n');
    }
    Ok(text)
}

fn table(topics: &[Topic]) -> String {
    if topics.is_empty() {
        return String::new();
    }
    let mut columns = vec![
        column("TOPIC", topics, |topic| Some(printable(&topic.topic))),
        column("KIND", topics, |topic| Some(printable(&topic.kind))),
    ];
    // What no topic says has no column.
    if topics.iter().any(|topic| topic.native.is_some()) {
        columns.push(column("NATIVE", topics, |topic| topic.native.as_deref().map(printable)));
    }
    let names = columns.len();
    columns.push(column("SEQ", topics, |topic| Some(topic.seq.to_string())));
    if topics.iter().any(|topic| topic.history.is_some()) {
        columns.push(column("HISTORY", topics, |topic| topic.history.map(|n| n.to_string())));
    }
    if topics.iter().any(|topic| topic.subscribers.is_some()) {
        columns
            .push(column("SUBSCRIBERS", topics, |topic| topic.subscribers.map(|n| n.to_string())));
    }
    let widths: Vec<usize> = columns
        .iter()
        .map(|cells| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in 0..=topics.len() {
        let mut line = String::new();
        for (index, (cells, width)) in columns.iter().zip(&widths).enumerate() {
            let cell = &cells[row];
            // Names to the left, numbers to the right.
            line += &if index < names {
                format!("{cell:<width$}  ")
            } else {
                format!("{cell:>width$}  ")
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn column(name: &str, topics: &[Topic], cell: impl Fn(&Topic) -> Option<String>) -> Vec<String> {
    let cells = topics.iter().map(|topic| cell(topic).unwrap_or_else(|| "-".into()));
    std::iter::once(name.to_owned()).chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(body: &str) -> Vec<Topic> {
        serde_json::from_str::<Listing>(body).unwrap().topics
    }

    #[test]
    fn the_columns_stand_under_their_names() {
        let topics = listing(
            r#"{"topics":[
            {"topic":"quote.sim.BTC-USD","kind":"quote","epoch":"e","seq":88,"history":3,"new":1},
            {"topic":"chat.a","kind":"generic","epoch":"e","seq":12345}]}"#,
        );
        let expected = "\
TOPIC              KIND       SEQ  HISTORY
quote.sim.BTC-USD  quote       88        3
chat.a             generic  12345        -
";
        assert_eq!(table(&topics), expected);
        let lines = lines(&topics).unwrap();
        let first =
            r#"{"topic":"quote.sim.BTC-USD","kind":"quote","epoch":"e","seq":88,"history":3}"#;
        assert_eq!(lines.lines().next(), Some(first));
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn subscribers_have_a_column_where_they_are_told() {
        let topics = listing(
            r#"{"topics":[{"topic":"a","kind":"generic","epoch":"e","seq":1,"subscribers":7}]}"#,
        );
        let expected = "TOPIC  KIND     SEQ  SUBSCRIBERS\na      generic    1            7\n";
        assert_eq!(table(&topics), expected);
    }
}

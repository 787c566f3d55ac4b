//! `tickwire topics`: what there is to subscribe to.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::{DEFAULT_HTTP_URL, printable, still_read};

/// List the broker's topics with their kind, last seq and number of subscribers.
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
    epoch: String,
    seq: u64,
    subscribers: u64,
}

/// Asks the broker and prints its answer.
///
/// # Errors
/// When the broker cannot be reached or refuses the pattern.
pub async fn run(arguments: TopicsArguments) -> anyhow::Result<()> {
    let query: Vec<_> = arguments.pattern.iter().map(|p| ("pattern", p.as_str())).collect();
    let answer = client::http::get(&arguments.url, "/topics", &query).await?;
    if answer.status != 200 {
        let said = String::from_utf8_lossy(&answer.body);
        bail!("the broker refused (HTTP {}): {}", answer.status, printable(said.trim()));
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
    let widest =
        |of: fn(&Topic) -> usize, least: usize| topics.iter().map(of).max().unwrap_or(0).max(least);
    let name = widest(|topic| topic.topic.chars().count(), "TOPIC".len());
    let kind = widest(|topic| topic.kind.chars().count(), "KIND".len());
    let seq = widest(|topic| topic.seq.to_string().len(), "SEQ".len());
    let mut text = format!("{:<name$}  {:<kind$}  {:>seq$}  SUBSCRIBERS\n", "TOPIC", "KIND", "SEQ");
    for topic in topics {
        let line = format!(
            "{:<name$}  {:<kind$}  {:>seq$}  {:>11}\n",
            printable(&topic.topic),
            printable(&topic.kind),
            topic.seq,
            topic.subscribers,
        );
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_stand_under_their_names() {
        let body = r#"{"topics":[
            {"topic":"quote.sim.BTC-USD","kind":"quote","epoch":"e","seq":88,"subscribers":3,"new":1},
            {"topic":"chat.a","kind":"generic","epoch":"e","seq":12345,"subscribers":0}]}"#;
        let listing: Listing = serde_json::from_str(body).unwrap();
        let expected = "\
TOPIC              KIND       SEQ  SUBSCRIBERS
quote.sim.BTC-USD  quote       88            3
chat.a             generic  12345            0
";
        assert_eq!(table(&listing.topics), expected);
        let lines = lines(&listing.topics).unwrap();
        let first =
            r#"{"topic":"quote.sim.BTC-USD","kind":"quote","epoch":"e","seq":88,"subscribers":3}"#;
        assert_eq!(lines.lines().next(), Some(first));
        assert_eq!(table(&[]), "");
    }
}

//! Brings the users of a file to a running Redis, as a restart with that file would, and without one.
//!
//! Redis reads its file of users at its start only, and what Kubernetes mounts follows a Secret late: so the users are
//! told to the server itself. Each user changes in one step. Who is connected stays connected, whatever becomes of the
//! password; a user that is removed is cut. Told twice it is the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, aio::MultiplexedConnection, cmd};
use serde::Serialize;

use super::report;
use crate::configuration::{Settings, UsersSource};

/// How long to wait for a server that is just starting; a Job that fails is started again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Patience with one answer.
const RESPOND: Duration = Duration::from_secs(5);

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Users that the server has now as the file has them.
    pub users: Vec<String>,
    /// Users that it had and the file does not know.
    pub removed: Vec<String>,
}

/// Brings the users to the server and reports, on the standard output and in the report file.
///
/// # Errors
/// Whatever kept it from being done, after it stands in the report file as well.
pub async fn run(settings: &Settings, source: &UsersSource) -> anyhow::Result<()> {
    let outcome = from_settings(settings, source).await;
    let line = report::line(&outcome)?;
    report::write(settings.report_file.as_deref(), &line)?;
    outcome?;
    writeln!(io::stdout().lock(), "{line}").context("failed to print the report")
}

async fn from_settings(settings: &Settings, source: &UsersSource) -> anyhow::Result<Report> {
    let place = source.file.display();
    let text = fs::read_to_string(&source.file).with_context(|| format!("failed to read {place}"))?;
    let users = parse(&text).with_context(|| format!("failed to read the users in {place}"))?;
    let connection = settings
        .redis
        .as_ref()
        .context("there is no Redis to bring users to")?;
    let client = Client::open(connection.resolve()?).context("failed to use the Redis URL")?;
    let mut connection = connect(&client).await?;
    sync(&mut connection, &users, &source.own_users).await
}

/// A user as the file has it: what is said of it, word by word.
type Rules = Vec<String>;

/// The users of a file. What Redis would not start with is refused before anything is changed.
fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Rules>> {
    let mut users = BTreeMap::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let mut words = line.split_whitespace().map(str::to_owned);
        let Some(first) = words.next() else {
            continue;
        };
        let name = words.next().filter(|_| first == "user");
        let name = name.with_context(|| format!("line {number} must be: user NAME RULES"))?;
        ensure!(
            users.insert(name.clone(), words.collect()).is_none(),
            "line {number} has the user {name} a second time"
        );
    }
    ensure!(!users.is_empty(), "there are none");
    Ok(users)
}

/// A server that is just starting is worth waiting for; one that refuses is not.
async fn connect(client: &Client) -> anyhow::Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(RESPOND))
        .set_response_timeout(Some(RESPOND));
    let begun = Instant::now();
    loop {
        match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => return Ok(connection),
            Err(error) if is_away(&error) && begun.elapsed() < LONGEST_WAIT => {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Err(error) if is_away(&error) => return Err(error).context("failed to reach Redis"),
            Err(error) => return Err(error).context("failed to log in to Redis"),
        }
    }
}

fn is_away(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io) || error.is_connection_refusal() || error.is_timeout()
}

async fn sync(
    connection: &mut MultiplexedConnection,
    users: &BTreeMap<String, Rules>,
    own_users: &[String],
) -> anyhow::Result<Report> {
    for (name, rules) in users {
        // From nothing, as a start with the file would: rules that are left out end, passwords too. All in one step.
        let told = cmd("ACL")
            .arg("SETUSER")
            .arg(name)
            .arg("reset")
            .arg(rules)
            .query_async::<()>(connection)
            .await;
        told.with_context(|| format!("failed to tell Redis of the user {name}"))?;
    }
    let present: Vec<String> = cmd("ACL")
        .arg("USERS")
        .query_async(connection)
        .await
        .context("failed to ask Redis for its users")?;
    let removed: Vec<String> = present
        .into_iter()
        .filter(|name| own_users.contains(name) && !users.contains_key(name))
        .collect();
    for name in &removed {
        let gone = cmd("ACL")
            .arg("DELUSER")
            .arg(name)
            .query_async::<i64>(connection)
            .await;
        gone.with_context(|| format!("failed to remove the user {name} from Redis"))?;
    }
    for (name, rules) in users {
        verify(connection, name, rules).await?;
    }
    Ok(Report {
        users: users.keys().cloned().collect(),
        removed,
    })
}

/// Asks who may log in and with what, for that is what everybody relies on next.
async fn verify(connection: &mut MultiplexedConnection, name: &str, rules: &Rules) -> anyhow::Result<()> {
    let known: Option<BTreeMap<String, redis::Value>> = cmd("ACL")
        .arg("GETUSER")
        .arg(name)
        .query_async(connection)
        .await
        .with_context(|| format!("failed to ask Redis for the user {name}"))?;
    let Some(known) = known else {
        bail!("Redis has lost the user {name}: somebody else changes users at the same time");
    };
    let list = |field: &str| -> BTreeSet<String> {
        let value = known.get(field).cloned().unwrap_or(redis::Value::Nil);
        redis::from_redis_value(value).unwrap_or_default()
    };
    let (flags, digests) = (list("flags"), list("passwords"));
    let wanted: BTreeSet<String> = rules
        .iter()
        .filter_map(|rule| rule.strip_prefix('#').map(str::to_owned))
        .collect();
    let says = |word: &str| rules.iter().any(|rule| rule == word);
    ensure!(
        digests == wanted && flags.contains("on") == says("on") && flags.contains("nopass") == says("nopass"),
        "Redis does not have the user {name} as the file has it: somebody else changes users at the same time"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents half of the users from being told before the mistake in the file is found.
    #[test]
    fn a_file_that_redis_would_refuse_is_refused_whole() {
        let users = parse("\nuser api on #ab ~p:* (~x:* +get)\n  user health on nopass +ping  \n").unwrap();
        assert_eq!(users["api"], ["on", "#ab", "~p:*", "(~x:*", "+get)"]);
        assert_eq!(users["health"], ["on", "nopass", "+ping"]);
        for (text, expected) in [
            ("", "there are none"),
            ("\n \n", "there are none"),
            ("user", "line 1 must be: user NAME RULES"),
            ("user a on\nrequirepass x", "line 2 must be: user NAME RULES"),
            ("user a on\n\nuser a off", "line 3 has the user a a second time"),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), expected);
        }
    }
}

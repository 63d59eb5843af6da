//! Where messages go: `ag/v1/{tenant}/{device}/…`.

use std::fmt;

use thiserror::Error;

use crate::id::{CommandId, DeviceId, IdError, TenantId};

/// First levels of every topic.
pub const PREFIX: &str = "ag/v1";

/// One device and whose it is; the part of a topic that must fit the connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceAddress {
    /// Whose device it is.
    pub tenant: TenantId,
    /// Which device.
    pub device: DeviceId,
}

/// What a device says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UplinkKind {
    /// `tlm`: readings.
    Telemetry,
    /// `evt`: something that happened.
    Event,
    /// `state`: configuration as it is.
    State,
    /// `birth`: who it is, at each boot.
    Birth,
    /// `cmd/rsp/{command_id}`: what became of a command.
    Result(CommandId),
    /// `death`: the will, published by the broker when the connection breaks.
    Death,
}

/// A topic of a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// From the device.
    Up(UplinkKind),
    /// `cmd/req/{command_id}`: to the device.
    Command(CommandId),
    /// `err`: to the device, about a message that was not accepted.
    Error,
}

/// Why a text is no topic of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicError {
    /// Does not begin with `ag/v1/`.
    #[error("a topic begins with {PREFIX}/{{tenant}}/{{device}}/")]
    Prefix,
    /// Tenant, device or command id is malformed.
    #[error("topic level {level}: {source}")]
    Id {
        /// `tenant`, `device` or `command_id`.
        level: &'static str,
        /// What is wrong with it.
        source: IdError,
    },
    /// The levels after the device name nothing.
    #[error("unknown channel {0:?}: use tlm, evt, state, birth, death, err, cmd/req/{{id}} or cmd/rsp/{{id}}")]
    Channel(String),
}

impl DeviceAddress {
    /// The topic text of a channel of this device.
    pub fn topic(&self, topic: &Topic) -> String {
        format!("{PREFIX}/{}/{}/{topic}", self.tenant, self.device)
    }

    /// The filter by which the device receives its commands.
    pub fn command_filter(&self) -> String {
        format!("{PREFIX}/{}/{}/cmd/req/+", self.tenant, self.device)
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.device)
    }
}

impl fmt::Display for UplinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Telemetry => f.write_str("tlm"),
            Self::Event => f.write_str("evt"),
            Self::State => f.write_str("state"),
            Self::Birth => f.write_str("birth"),
            Self::Result(id) => write!(f, "cmd/rsp/{id}"),
            Self::Death => f.write_str("death"),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(kind) => kind.fmt(f),
            Self::Command(id) => write!(f, "cmd/req/{id}"),
            Self::Error => f.write_str("err"),
        }
    }
}

/// Reads a topic text. Filters with wildcards are no topics.
///
/// # Errors
/// Says which level is wrong and what it may be.
pub fn parse(text: &str) -> Result<(DeviceAddress, Topic), TopicError> {
    let rest = text.strip_prefix(PREFIX).and_then(|r| r.strip_prefix('/')).ok_or(TopicError::Prefix)?;
    let mut levels = rest.splitn(3, '/');
    let (Some(tenant), Some(device), Some(channel)) = (levels.next(), levels.next(), levels.next()) else {
        return Err(TopicError::Prefix);
    };
    let address = DeviceAddress {
        tenant: tenant.parse().map_err(|source| TopicError::Id { level: "tenant", source })?,
        device: device.parse().map_err(|source| TopicError::Id { level: "device", source })?,
    };
    Ok((address, parse_channel(channel)?))
}

fn parse_channel(channel: &str) -> Result<Topic, TopicError> {
    let command_id = |text: &str| text.parse().map_err(|source| TopicError::Id { level: "command_id", source });
    Ok(match channel {
        "tlm" => Topic::Up(UplinkKind::Telemetry),
        "evt" => Topic::Up(UplinkKind::Event),
        "state" => Topic::Up(UplinkKind::State),
        "birth" => Topic::Up(UplinkKind::Birth),
        "death" => Topic::Up(UplinkKind::Death),
        "err" => Topic::Error,
        _ => {
            if let Some(id) = channel.strip_prefix("cmd/rsp/") {
                Topic::Up(UplinkKind::Result(command_id(id)?))
            } else if let Some(id) = channel.strip_prefix("cmd/req/") {
                Topic::Command(command_id(id)?)
            } else {
                return Err(TopicError::Channel(channel.to_owned()));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_reads_back() {
        let address = DeviceAddress { tenant: "home".parse().unwrap(), device: "ac-1".parse().unwrap() };
        let id: CommandId = "0190b6a4-0000-7000-8000-000000000001".parse().unwrap();
        let kinds = [
            Topic::Up(UplinkKind::Telemetry),
            Topic::Up(UplinkKind::Event),
            Topic::Up(UplinkKind::State),
            Topic::Up(UplinkKind::Birth),
            Topic::Up(UplinkKind::Result(id)),
            Topic::Up(UplinkKind::Death),
            Topic::Command(id),
            Topic::Error,
        ];
        for topic in kinds {
            let text = address.topic(&topic);
            assert_eq!(parse(&text), Ok((address.clone(), topic)), "{text}");
        }
    }

    #[test]
    fn wrong_topics_say_what_is_wrong() {
        assert_eq!(parse("x/y"), Err(TopicError::Prefix));
        assert_eq!(parse("ag/v1/home/ac-1"), Err(TopicError::Prefix));
        assert!(matches!(parse("ag/v1//ac/tlm"), Err(TopicError::Id { level: "tenant", .. })));
        assert!(matches!(parse("ag/v1/home/a+c/tlm"), Err(TopicError::Id { level: "device", .. })));
        assert!(matches!(parse("ag/v1/home/ac/cmd/rsp/7"), Err(TopicError::Id { level: "command_id", .. })));
        assert_eq!(parse("ag/v1/home/ac/tlm/x"), Err(TopicError::Channel("tlm/x".into())));
    }
}

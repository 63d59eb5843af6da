//! What a device publishes: is it its own, and is it what it says.

use bytes::Bytes;
use firmware_proto::{DeviceAddress, Topic, UplinkKind, topic};
use rumqttc::mqttbytes::QoS;

use super::refusal::Reason;
use super::wire::{Code, Publish};

/// Content types that are read as JSON, and as protobuf.
const JSON: [&str; 1] = ["application/json"];
const PROTOBUF: [&str; 3] = ["application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf"];

/// The topics of one device.
pub(super) struct Uplink {
    address: DeviceAddress,
    /// What the aliases of the connection stand for (MQTT 5, 3.3.2.3.4).
    aliases: Vec<Option<(String, UplinkKind)>>,
    most_aliases: u16,
    /// The topic of the last message, which is as a rule that of the next.
    last: Option<(String, UplinkKind)>,
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejected {
    pub reason: Reason,
    pub code: Code,
    pub detail: String,
    /// Whether the connection may go on, where the protocol can say so.
    pub may_go_on: bool,
}

impl Rejected {
    /// The connection ends.
    fn fatal(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, code: reason.code(), detail: detail.into(), may_go_on: false }
    }

    /// The message is answered with its reason.
    fn message(reason: Reason, code: Code, detail: String) -> Self {
        Self { reason, code, detail, may_go_on: true }
    }
}

impl Uplink {
    pub fn new(address: DeviceAddress, most_aliases: u16) -> Self {
        Self { address, aliases: Vec::new(), most_aliases, last: None }
    }

    /// What a message is, with its payload as the journal keeps it.
    pub fn take(&mut self, publish: Publish) -> Result<(UplinkKind, Bytes), Rejected> {
        if publish.qos == QoS::ExactlyOnce {
            let detail = "use QoS 1: messages are deduplicated by boot_id and seq";
            return Err(Rejected::fatal(Reason::Qos2, detail));
        }
        if publish.retain {
            return Err(Rejected::fatal(Reason::Retain, "devices retain nothing here"));
        }
        let kind = match publish.alias {
            None => self.kind_of(&publish.topic)?,
            Some(alias) => self.aliased(alias, publish.topic)?,
        };
        Ok((kind, of_content_type(publish.content_type.as_deref(), publish.payload)?))
    }

    fn aliased(&mut self, alias: u16, topic: String) -> Result<UplinkKind, Rejected> {
        if alias == 0 || alias > self.most_aliases {
            let detail = format!("topic alias {alias}, use 1 to {}", self.most_aliases);
            return Err(Rejected::fatal(Reason::Alias, detail));
        }
        let at = usize::from(alias - 1);
        if topic.is_empty() {
            let known = self.aliases.get(at).and_then(Option::as_ref);
            let unknown = || Rejected::fatal(Reason::Protocol, format!("topic alias {alias} stands for nothing yet"));
            return known.map(|(_, kind)| kind.clone()).ok_or_else(unknown);
        }
        let kind = self.kind_of(&topic)?;
        if self.aliases.len() <= at {
            self.aliases.resize(at + 1, None);
        }
        self.aliases[at] = Some((topic, kind.clone()));
        Ok(kind)
    }

    /// What a topic means, if it is one this device may publish to.
    fn kind_of(&mut self, text: &str) -> Result<UplinkKind, Rejected> {
        if let Some((known, kind)) = &self.last
            && known == text
        {
            return Ok(kind.clone());
        }
        let foreign = |detail: String| Err(Rejected::message(Reason::Topic, Code::NotAuthorised, detail));
        match topic::parse(text) {
            Ok((address, Topic::Up(kind))) if address == self.address => {
                self.last = Some((text.to_owned(), kind.clone()));
                Ok(kind)
            }
            Ok((address, Topic::Up(_))) => foreign(format!("{text:?} belongs to {address}")),
            Ok(_) => foreign(format!("{text:?} is for messages to a device")),
            Err(error) => Err(Rejected::message(Reason::Topic, Code::TopicInvalid, format!("{text:?}: {error}"))),
        }
    }
}

/// The journal keeps payloads alone, and tells JSON by its first byte; so a content type must agree with that.
fn of_content_type(content_type: Option<&str>, payload: Bytes) -> Result<Bytes, Rejected> {
    let Some(content_type) = content_type else { return Ok(payload) };
    let wrong = |detail: String| Err(Rejected::message(Reason::Payload, Code::PayloadFormat, detail));
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if JSON.contains(&essence.as_str()) {
        let blank = payload.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let json = payload.slice(blank..);
        return if json.first() == Some(&b'{') { Ok(json) } else { wrong("the JSON is no object".to_owned()) };
    }
    if !PROTOBUF.contains(&essence.as_str()) {
        return wrong(format!("content type {content_type:?}, use application/json or application/protobuf"));
    }
    if payload.first() == Some(&b'{') {
        return wrong(format!("content type {content_type:?}, but the payload begins as JSON"));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uplink() -> Uplink {
        let address = DeviceAddress { tenant: "home".parse().unwrap(), device: "ac-1".parse().unwrap() };
        Uplink::new(address, 2)
    }

    fn publish(topic: &str, alias: Option<u16>) -> Publish {
        Publish {
            topic: topic.to_owned(),
            alias,
            qos: QoS::AtLeastOnce,
            retain: false,
            packet_id: 1,
            content_type: None,
            payload: Bytes::from("{}"),
        }
    }

    #[test]
    fn an_alias_stands_for_its_topic() {
        let mut uplink = uplink();
        let code = |result: Result<(UplinkKind, Bytes), Rejected>| result.map(|taken| taken.0).map_err(|no| no.code);
        assert_eq!(code(uplink.take(publish("", Some(1)))), Err(Code::Protocol));
        assert_eq!(code(uplink.take(publish("ag/v1/home/ac-1/tlm", Some(1)))), Ok(UplinkKind::Telemetry));
        assert_eq!(code(uplink.take(publish("ag/v1/home/ac-1/evt", Some(2)))), Ok(UplinkKind::Event));
        assert_eq!(code(uplink.take(publish("", Some(1)))), Ok(UplinkKind::Telemetry));
        assert_eq!(code(uplink.take(publish("ag/v1/home/ac-1/evt", Some(1)))), Ok(UplinkKind::Event));
        assert_eq!(code(uplink.take(publish("", Some(1)))), Ok(UplinkKind::Event));
        for alias in [0, 3] {
            let refused = code(uplink.take(publish("ag/v1/home/ac-1/tlm", Some(alias))));
            assert_eq!(refused, Err(Code::TopicAliasInvalid));
        }
        // A foreign topic does not become known by an alias.
        assert_eq!(code(uplink.take(publish("ag/v1/home/ac-2/tlm", Some(1)))), Err(Code::NotAuthorised));
        assert_eq!(code(uplink.take(publish("", None))), Err(Code::TopicInvalid));
    }

    #[test]
    fn a_content_type_must_fit() {
        let check = |content_type, payload: &'static str| {
            of_content_type(Some(content_type), Bytes::from(payload)).map_err(|no| no.code)
        };
        assert_eq!(check("application/json; charset=utf-8", " \n{}"), Ok(Bytes::from("{}")));
        assert_eq!(check("application/json", "\x08\x01"), Err(Code::PayloadFormat));
        assert_eq!(check("application/protobuf", "\x08\x01"), Ok(Bytes::from("\x08\x01")));
        assert_eq!(check("application/protobuf", "{}"), Err(Code::PayloadFormat));
        assert_eq!(check("text/plain", "{}"), Err(Code::PayloadFormat));
    }
}

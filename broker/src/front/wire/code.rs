//! Reason codes.

/// What a packet from us says (MQTT 5, 2.4). MQTT 3.1.1 has codes for CONNACK and SUBACK only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::front) enum Code {
    Success = 0x00,
    NoSubscriptionExisted = 0x11,
    Unspecified = 0x80,
    Malformed = 0x81,
    Protocol = 0x82,
    Version = 0x84,
    ClientId = 0x85,
    Credentials = 0x86,
    NotAuthorised = 0x87,
    Unavailable = 0x88,
    Busy = 0x89,
    ShuttingDown = 0x8b,
    AuthenticationMethod = 0x8c,
    KeepaliveTimeout = 0x8d,
    TakenOver = 0x8e,
    FilterInvalid = 0x8f,
    TopicInvalid = 0x90,
    ReceiveMaximum = 0x93,
    TopicAliasInvalid = 0x94,
    TooLarge = 0x95,
    Quota = 0x97,
    Administrative = 0x98,
    PayloadFormat = 0x99,
    RetainNotSupported = 0x9a,
    QosNotSupported = 0x9b,
    SharedNotSupported = 0x9e,
    ConnectionRate = 0x9f,
    SubscriptionIdNotSupported = 0xa1,
}

impl Code {
    /// The return code of a CONNACK of MQTT 3.1.1 (3.2.2.3) that says most nearly the same.
    pub fn of_connack_v4(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Version => 1,
            Self::ClientId => 2,
            Self::Unavailable | Self::Busy | Self::ShuttingDown | Self::ConnectionRate | Self::Quota => 3,
            Self::Credentials => 4,
            _ => 5,
        }
    }
}

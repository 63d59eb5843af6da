//! How devices reach the gateway: through a listener of its own, or through a cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::downlink::Downlinks;
use crate::external::{Cluster, External, ExternalHealth};
use crate::front::Front;

/// How devices reach the gateway.
#[derive(Debug)]
pub enum Edge {
    /// They connect to it.
    Front(Front),
    /// They connect to a cluster, whose client it is.
    External(External),
}

impl Edge {
    /// The way to the devices.
    pub fn downlink(&self) -> Downlinks {
        match self {
            Self::Front(front) => front.downlink(),
            Self::External(external) => external.downlink(),
        }
    }

    /// Where devices connect to the gateway itself.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Front(front) => Some(front.local_addr()),
            Self::External(_) => None,
        }
    }

    /// Its health, for as long as it is wanted.
    pub fn watch(&self) -> EdgeWatch {
        match self {
            Self::Front(_) => EdgeWatch(None),
            Self::External(external) => EdgeWatch(Some(external.cluster())),
        }
    }

    /// Takes no more and acknowledges what is in flight. Close the journal afterwards.
    pub async fn shutdown(self) {
        match self {
            Self::Front(front) => front.shutdown().await,
            Self::External(external) => external.shutdown().await,
        }
    }
}

/// How an [`Edge`] is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EdgeWatch(Option<Arc<Cluster>>);

impl EdgeWatch {
    /// How the connection to the cluster is, if there is one.
    pub fn cluster(&self) -> Option<ExternalHealth> {
        self.0.as_ref().map(|cluster| cluster.health())
    }
}

//! How devices reach the gateway: through a listener of its own, or through a cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::downlink::Downlinks;
use crate::external::{Cluster, External, ExternalHealth};
use crate::front::{Front, Listener, Transport};

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
    pub fn listeners(&self) -> &[Listener] {
        match self {
            Self::Front(front) => front.listeners(),
            Self::External(_) => &[],
        }
    }

    /// The first of these addresses for a transport.
    pub fn address(&self, transport: Transport) -> Option<SocketAddr> {
        self.listeners().iter().find(|listener| listener.transport == transport).map(|listener| listener.address)
    }

    /// Its health, for as long as it is wanted.
    pub fn watch(&self) -> EdgeWatch {
        match self {
            Self::Front(front) => EdgeWatch(Watched::Front(front.tls_problem())),
            Self::External(external) => EdgeWatch(Watched::External(external.cluster())),
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
pub struct EdgeWatch(Watched);

#[derive(Debug, Clone)]
enum Watched {
    /// What is wrong with the certificate files since they changed.
    Front(watch::Receiver<Option<String>>),
    /// The connection to the cluster.
    External(Arc<Cluster>),
}

impl EdgeWatch {
    /// How the connection to the cluster is, if there is one.
    pub fn cluster(&self) -> Option<ExternalHealth> {
        match &self.0 {
            Watched::Front(_) => None,
            Watched::External(cluster) => Some(cluster.health()),
        }
    }

    /// What is wrong with the certificate files since they changed; the earlier ones are used until that is mended.
    pub fn tls_problem(&self) -> Option<String> {
        match &self.0 {
            Watched::Front(problem) => problem.borrow().clone(),
            Watched::External(_) => None,
        }
    }
}

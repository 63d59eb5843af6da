//! A fault tree as written.

/// A fault tree: how the top event follows from basic events.
///
/// Gates and events refer to each other by index. Nothing is checked here; see `check`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultTree {
    /// What it is called.
    pub name: String,
    /// Events without a cause inside the tree.
    pub events: Vec<Event>,
    /// Gates, in any order; they must not form a circle.
    pub gates: Vec<Gate>,
    /// Index of the top event's gate.
    pub top: usize,
    /// Events that fail together.
    pub common_causes: Vec<CommonCause>,
}

impl FaultTree {
    /// Which gates read a node, directly or through other gates.
    pub fn gates_above(&self, node: Node) -> Vec<bool> {
        let mut above = vec![false; self.gates.len()];
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            for (index, gate) in self.gates.iter().enumerate() {
                if !above[index] && gate.inputs.iter().any(|input| input.node == node) {
                    above[index] = true;
                    open.push(Node::Gate(index));
                }
            }
        }
        above
    }
}

/// An event whose cause lies outside the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Unique among events and gates.
    pub name: String,
    /// For people; may be empty.
    pub label: String,
    /// What sort of event it is.
    pub kind: EventKind,
    /// How likely it is; `None` if nobody has said. Counting cut sets needs no probability.
    pub law: Option<Law>,
    /// How uncertain that is.
    pub spread: Option<Spread>,
}

/// Sorts of events (IEC 61025).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A fault of its own.
    Basic,
    /// Could be developed further but is not.
    Undeveloped,
    /// A condition of an inhibit gate.
    Conditioning,
    /// Set to be there or not; it has no probability.
    House(bool),
}

/// How the probability of an event follows from what is known of it. Times are in one unit
/// throughout a tree, rates in its reciprocal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// Probability on demand.
    Constant(f64),
    /// Not repaired, constant failure rate: `1 - exp(-rate time)`.
    Exponential {
        /// Failures per time.
        rate: f64,
        /// Mission time.
        time: f64,
    },
    /// Weibull life, given survival up to `age`:
    /// `1 - exp((age / scale)^shape - ((age + time) / scale)^shape)`.
    Weibull {
        /// Characteristic life.
        scale: f64,
        /// Below 1 early failures, above 1 wear.
        shape: f64,
        /// Age at the beginning of the mission.
        age: f64,
        /// Mission time.
        time: f64,
    },
    /// Repaired as soon as it fails (GLM of Open-PSA):
    /// `γ exp(-(λ+μ)t) + λ/(λ+μ) (1 - exp(-(λ+μ)t))`.
    Repairable {
        /// Probability of failing on demand, γ.
        on_demand: f64,
        /// Failure rate λ.
        rate: f64,
        /// Repair rate μ.
        repair: f64,
        /// Time t.
        time: f64,
    },
    /// Tested and renewed every `interval`, first at `first`; unavailability at `time`:
    /// `1 - exp(-rate (time since the last test))`.
    PeriodicTest {
        /// Failure rate λ.
        rate: f64,
        /// Between tests, τ.
        interval: f64,
        /// First test, θ.
        first: f64,
        /// Time t.
        time: f64,
    },
}

/// What is known of a probability's error: the law's value is multiplied (log-normal) or
/// replaced by a draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// Log-normal with the law's value as mean and this error factor (95th percentile / median).
    LogNormal {
        /// At least 1.
        error_factor: f64,
    },
    /// Beta(α, β).
    Beta {
        /// α > 0.
        alpha: f64,
        /// β > 0.
        beta: f64,
    },
    /// Even between two values.
    Uniform {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
}

/// What a gate or a group refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// Index into the events.
    Event(usize),
    /// Index into the gates.
    Gate(usize),
}

/// An input of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Input {
    /// What is read.
    pub node: Node,
    /// Its absence counts.
    pub negated: bool,
}

/// When a gate's event happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Logic {
    /// Any input. One negated input alone is a not-gate.
    Or,
    /// All inputs.
    And,
    /// At least so many inputs.
    AtLeast(usize),
    /// An odd number of inputs.
    Xor,
    /// All inputs, of which the last is a condition.
    Inhibit,
    /// All inputs, and each not before the one to its left (PAND).
    PriorityAnd,
    /// The first input works until it fails, then the others in turn; all have failed.
    Spare {
        /// Failure rate of a waiting spare over that of a working one: 0 cold, 1 hot.
        dormancy: f64,
    },
}

/// A gate: an intermediate event and how it follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Unique among events and gates.
    pub name: String,
    /// For people; may be empty.
    pub label: String,
    /// When it happens.
    pub logic: Logic,
    /// What it reads, in order.
    pub inputs: Vec<Input>,
}

/// Events that can fail from one shared cause.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonCause {
    /// What it is called.
    pub name: String,
    /// Indices of the events; their own laws give way to the group's.
    pub members: Vec<usize>,
    /// Total failure probability of each member, from all causes.
    pub law: Law,
    /// How the total is shared out.
    pub sharing: Sharing,
}

/// Parametric models of common-cause failure (NUREG/CR-5485).
#[derive(Debug, Clone, PartialEq)]
pub enum Sharing {
    /// One factor: the share of failures that hit all members.
    Beta(f64),
    /// Multiple Greek letters, from β on: n - 1 factors for n members.
    Mgl(Vec<f64>),
    /// Alpha factors, from α1 on, of non-staggered testing; they are divided by their sum.
    Alpha(Vec<f64>),
}

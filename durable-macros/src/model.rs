//! What the user meant: a workflow with its `run` or its inputs, its steps, its compensations and their options, each value with
//! the place it was written at.

use crate::nodes::model::{Graph, Input, NodeOptions};
use crate::nodes::questions::Question;
use crate::parse::Method;
use crate::schedule::Schedule;
use proc_macro2::{Span, TokenStream};
use quote::format_ident;
use std::time::Duration;
use syn::ext::IdentExt as _;
use syn::{FnArg, Ident, ItemImpl, LitStr, Path, Type};

/// A workflow as it was written.
pub(crate) struct Workflow {
    /// The path of the `durable` crate.
    pub(crate) durable: Path,
    pub(crate) name: LitStr,
    pub(crate) version: u32,
    pub(crate) queue: LitStr,
    pub(crate) timeout: Option<Duration>,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) retention: Option<Duration>,
    pub(crate) concurrency: Concurrency,
    pub(crate) tags: Vec<Tag>,
    /// The option that keeps a graph open when everything is settled.
    pub(crate) open: Option<Ident>,
    /// When it starts by itself.
    pub(crate) schedule: Option<Schedule>,
    /// The impl block without its items.
    pub(crate) head: ItemImpl,
    pub(crate) members: Vec<Member>,
    /// The paths under which the markers were written, each once.
    pub(crate) marker_paths: Vec<Path>,
}

/// How a workflow says what happens.
pub(crate) enum Form<'block> {
    /// In the code of `run`.
    Flow(&'block Method),
    /// In the parameters of its nodes.
    Graph(Graph<'block>),
}

/// How many executions with the same key may run at once.
pub(crate) struct Concurrency {
    /// The closure that makes the key from the input.
    pub(crate) key: Option<TokenStream>,
    pub(crate) limit: Option<u32>,
    /// The names of the two options at their places, even if their values have mistakes.
    pub(crate) key_name: Option<Ident>,
    pub(crate) limit_name: Option<Ident>,
}

/// A tag of every execution.
pub(crate) struct Tag {
    pub(crate) name: Ident,
    pub(crate) value: TagValue,
}

pub(crate) enum TagValue {
    Text(LitStr),
    /// The closure that makes it from the input.
    Made(TokenStream),
}

/// One item of the impl block, in the order written.
pub(crate) enum Member {
    Run(Method),
    Step(Step),
    Input(Input),
    Question(Question),
    Compensation(Compensation),
    /// A method without a marker.
    Plain(Method),
    /// A `run` whose signature has a mistake, which is reported.
    UnreadableRun,
    /// Another method whose signature has a mistake.
    Unreadable {
        name: Ident,
        tokens: TokenStream,
    },
    Untouched(TokenStream),
}

/// A method marked `#[step]`, without the marker.
pub(crate) struct Step {
    pub(crate) method: Method,
    pub(crate) name: LitStr,
    pub(crate) was: Vec<LitStr>,
    /// The queue whose workers run it, if not those of the workflow.
    pub(crate) queue: Option<LitStr>,
    pub(crate) retry: Option<Retry>,
    pub(crate) timeout: Option<Duration>,
    /// The method that undoes it.
    pub(crate) compensate: Option<Ident>,
    /// The option that asks for the compensation after a failure, too, if it is set.
    pub(crate) undo_on_failure: Option<Ident>,
    /// Whether its SQL is committed together with its outcome.
    pub(crate) transaction: bool,
    /// What it says as a node of a graph.
    pub(crate) node: Box<NodeOptions>,
}

/// A method marked `#[compensation]`, without the marker.
pub(crate) struct Compensation {
    pub(crate) method: Method,
    pub(crate) name: LitStr,
    pub(crate) retry: Option<Retry>,
    pub(crate) timeout: Option<Duration>,
}

/// How a step or a compensation is tried again.
pub(crate) struct Retry {
    pub(crate) max_attempts: u32,
    /// The name of the kind of backoff, as the runtime spells it.
    pub(crate) backoff: &'static str,
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    pub(crate) jitter: f64,
    /// The place of the error if `base` and `max` contradict each other.
    pub(crate) base_or_max: Span,
}

impl Workflow {
    pub(crate) fn run(&self) -> Option<&Method> {
        self.runs().next()
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = &Method> {
        self.members.iter().filter_map(|member| match member {
            Member::Run(run) => Some(run),
            _ => None,
        })
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.members.iter().filter_map(|member| match member {
            Member::Step(step) => Some(step),
            _ => None,
        })
    }

    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.members.iter().filter_map(|member| match member {
            Member::Input(input) => Some(input),
            _ => None,
        })
    }

    pub(crate) fn questions(&self) -> impl Iterator<Item = &Question> {
        self.members.iter().filter_map(|member| match member {
            Member::Question(question) => Some(question),
            _ => None,
        })
    }

    pub(crate) fn compensations(&self) -> impl Iterator<Item = &Compensation> {
        self.members.iter().filter_map(|member| match member {
            Member::Compensation(compensation) => Some(compensation),
            _ => None,
        })
    }

    /// The compensations of the step. More than one only if they exclude each other by `cfg`.
    pub(crate) fn compensations_of<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Compensation> {
        self.compensations().filter(|compensation| step.compensate.as_ref() == Some(compensation.method.name()))
    }

    /// The name of the type: `ProcessOrder`.
    pub(crate) fn type_name(&self) -> Option<&Ident> {
        last_word(&self.head.self_ty)
    }
}

impl Member {
    /// The name of the method, if the member is a method.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match self {
            Self::Run(method) | Self::Plain(method) => Some(method.name()),
            Self::Step(step) => Some(step.method.name()),
            Self::Input(input) => Some(input.method.name()),
            Self::Question(question) => Some(question.method.name()),
            Self::Compensation(compensation) => Some(compensation.method.name()),
            Self::Unreadable { name, .. } => Some(name),
            Self::UnreadableRun | Self::Untouched(_) => None,
        }
    }
}

impl Method {
    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }

    pub(crate) fn is_conditional(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
    }

    /// The parameters behind `self`.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &syn::PatType> {
        self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(parameter) => Some(parameter),
            FnArg::Receiver(_) => None,
        })
    }

    /// The parameter `cx: &Context`, if it comes first.
    pub(crate) fn context(&self) -> Option<&syn::PatType> {
        self.parameters().next().filter(|first| is_context(&first.ty))
    }

    /// The parameter `tx: &mut Transaction`, if it comes first.
    pub(crate) fn transaction(&self) -> Option<&syn::PatType> {
        self.parameters().next().filter(|first| is_transaction(&first.ty))
    }

    /// The type of the input that `run` takes behind `cx`.
    pub(crate) fn input(&self) -> Option<&Type> {
        self.parameters().nth(1).map(|parameter| &*parameter.ty)
    }
}

/// Whether the type reads `&Context`.
pub(crate) fn is_context(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference)
        if reference.mutability.is_none() && last_word(&reference.elem).is_some_and(|word| word == "Context"))
}

/// Whether the type reads `&mut Transaction`.
pub(crate) fn is_transaction(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference)
        if reference.mutability.is_some() && last_word(&reference.elem).is_some_and(|word| word == "Transaction"))
}

/// `ProcessOrder` of `orders::ProcessOrder<C>`.
pub(crate) fn last_word(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

/// The function that returns the key of a step or a compensation; `step!` makes the same name.
pub(crate) fn key_name(method: &Ident) -> Ident {
    format_ident!("__step_key_of_{}", method.unraw(), span = method.span())
}

impl Step {
    /// The method that holds the user's body: `__step_charge`.
    pub(crate) fn body_name(&self) -> Ident {
        format_ident!("__step_{}", self.method.name().unraw(), span = Span::call_site())
    }

    /// The parameters that callers give: all but the transaction.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &syn::PatType> {
        self.method.parameters().skip(usize::from(self.transaction_parameter().is_some()))
    }

    /// The parameter that takes the transaction, if the step asks for one.
    pub(crate) fn transaction_parameter(&self) -> Option<&syn::PatType> {
        self.method.transaction().filter(|_| self.transaction)
    }

    /// The constant that describes the step: `__STEP_CHARGE`.
    pub(crate) fn spec_name(&self) -> Ident {
        let name = self.method.name().unraw().to_string().to_uppercase();
        format_ident!("__STEP_{name}", span = Span::call_site())
    }

    /// The function that returns the key of the step: `__step_key_of_charge`.
    pub(crate) fn key_name(&self) -> Ident {
        key_name(self.method.name())
    }

    /// The method that runs a routed step where it is called: `__here_charge`.
    pub(crate) fn here_name(&self) -> Ident {
        format_ident!("__here_{}", self.method.name().unraw(), span = Span::call_site())
    }

    /// The constant that says where a routed step runs: `__ROUTE_CHARGE`.
    pub(crate) fn route_name(&self) -> Ident {
        let name = self.method.name().unraw().to_string().to_uppercase();
        format_ident!("__ROUTE_{name}", span = Span::call_site())
    }

    /// The function that runs a routed step with the arguments that were sent: `__routed_charge`.
    pub(crate) fn routed_name(&self) -> Ident {
        format_ident!("__routed_{}", self.method.name().unraw(), span = Span::call_site())
    }

    /// The function that passes the recorded output of this step to the compensation: `__undo_charge`.
    pub(crate) fn undo_name(&self) -> Ident {
        format_ident!("__undo_{}", self.method.name().unraw(), span = Span::call_site())
    }
}

impl Compensation {
    /// The parameter after `cx`: the output of the step.
    pub(crate) fn argument(&self) -> Option<&syn::PatType> {
        self.method.parameters().nth(usize::from(self.method.context().is_some()))
    }

    /// The function that returns the key of the compensation: `__step_key_of_refund`.
    pub(crate) fn key_name(&self) -> Ident {
        key_name(self.method.name())
    }

    /// The constant that describes the compensation: `__COMPENSATION_REFUND`.
    pub(crate) fn spec_name(&self) -> Ident {
        let name = self.method.name().unraw().to_string().to_uppercase();
        format_ident!("__COMPENSATION_{name}", span = Span::call_site())
    }
}

//! Guarded rollouts: which pod templates the API and Redis get, so that what does not work goes back and a
//! new operator does not replace all pods at once. Between build and apply; pure but for the turns, which
//! `waves` keeps.
//!
//! | file | does |
//! | --- | --- |
//! | template | what a template is recognised by; an older one made ready to be applied again |
//! | state | what is remembered, in annotations |
//! | judge | whether new pods do well, wait, or have failed |
//! | revisions, decide | the API: what is live, and which template it gets |
//! | redis | the same for Redis, of which only the image goes back |

pub mod decide;
pub mod judge;
pub mod redis;
pub mod revisions;
pub mod state;
pub mod template;

use faciliauto_api::RolloutStatus;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::{
    children::{Children, Place},
    names,
    reconcile::{
        apply::{controller_uid, difference::differences},
        backups::BeforeImage,
        observe::Observed,
        rollout::{
            decide::{Decision, Standing, Wish, is_operators_doing},
            judge::Judgement,
            redis::UnreadyPod,
            state::State,
            template::Identity,
        },
        validate::{Owner, RolloutSettings},
        waves,
    },
    resources::{Child, Kind},
};

/// What is live.
#[derive(Clone, Debug, Default)]
pub struct Live {
    api: Option<revisions::Live>,
    redis: Option<redis::Live>,
}

/// What the resource asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The resource that children belong to.
    pub owner: &'a Owner,
    /// What happens when pods fail.
    pub settings: &'a RolloutSettings,
    /// The resource's generation.
    pub generation: i64,
    /// The value of [`names::RETRY`] on the resource.
    pub retry: Option<&'a str>,
    /// How the backup stands that another image of Redis waits for.
    pub before_image: &'a BeforeImage,
    /// The time.
    pub now: Timestamp,
}

/// What came of it, for conditions, for the status and for the steps that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How the API's rollout stands.
    pub api: Standing,
    /// How Redis's stands.
    pub redis: Standing,
    /// The resource whose failure keeps this one from being upgraded.
    pub held_by: Option<waves::Name>,
    /// The API's, in figures.
    pub status: RolloutStatus,
    /// When something is due.
    pub look_again: Option<Timestamp>,
    /// The Job to be made, because another image of Redis waits for the backup that it makes.
    pub backup_before: Option<String>,
    /// Why another image of Redis waits.
    pub image_waits: Option<String>,
    /// Pods of Redis to be deleted once everything is applied.
    pub in_the_way: Vec<UnreadyPod>,
}

impl Live {
    /// Reads what is live.
    pub fn read(children: &Children, observed: &Observed, request: &Request<'_>) -> Self {
        let Request {
            owner, settings, now, ..
        } = *request;
        let deadline = SignedDuration::from_secs(i64::from(settings.deadline_seconds));
        let own = |kind: Kind, name: String| {
            let found = children.get(&place(owner, kind, name));
            found.filter(|object| controller_uid(&object.metadata) == Some(owner.uid.as_str()))
        };
        let is_there = |object: &std::sync::Arc<DynamicObject>| object.metadata.deletion_timestamp.is_none();
        let sets = children.of_instance(Kind::ReplicaSet, &owner.namespace, &owner.name);
        let api = own(Kind::Deployment, owner.name.clone()).filter(is_there);
        let redis = own(Kind::StatefulSet, names::redis(&owner.name)).filter(is_there);
        let redis_pods: Vec<_> = observed.pods_of(names::REDIS).collect();
        Self {
            api: api.map(|object| revisions::Live::read(&object, &sets, &observed.pods, deadline, now)),
            redis: redis.map(|object| redis::Live::read(&object, &redis_pods, deadline, now)),
        }
    }

    /// How the resource stands among those that a new operator upgrades.
    pub fn standing(&self, built: &[Child], request: &Request<'_>, ready: bool) -> waves::Standing {
        let mut parts = self.parts(built);
        if matches!(request.before_image, BeforeImage::Failed { .. }) {
            // Without a backup it cannot go on, and nobody else waits for that.
            parts.retain(|part| !part.is_redis);
        }
        let any = |holds: &dyn Fn(&Part<'_>) -> bool| parts.iter().any(holds);
        if any(&|part| part.has_failed()) {
            waves::Standing::Failed
        } else if any(&|part| part.goes_on(request.now)) {
            waves::Standing::Rolling
        } else if any(&|part| part.is_wanted(request.generation)) {
            waves::Standing::Wanting { ready }
        } else {
            waves::Standing::Settled
        }
    }

    fn parts(&self, built: &[Child]) -> Vec<Part<'_>> {
        let template = |kind: Kind| {
            let child = built.iter().find(|child| child.kind == kind)?;
            Some(Identity::of(&child.object["spec"]["template"]))
        };
        let api = self.api.as_ref().map(|live| (&live.state, &live.judgement));
        let redis = self.redis.as_ref().map(|live| (&live.state, &live.judgement));
        [(Kind::Deployment, api), (Kind::StatefulSet, redis)]
            .into_iter()
            .filter_map(|(kind, live)| {
                let (state, judgement) = live?;
                Some(Part {
                    is_redis: kind == Kind::StatefulSet,
                    template: template(kind)?,
                    state,
                    judgement,
                })
            })
            .collect()
    }
}

/// The API or Redis, as far as upgrades go.
struct Part<'a> {
    is_redis: bool,
    template: Identity,
    state: &'a State,
    judgement: &'a Judgement,
}

impl Part<'_> {
    fn is_wanted(&self, generation: i64) -> bool {
        is_operators_doing(self.state, &self.template, generation)
    }

    /// Whether the template is the one that was asked for last.
    fn is_applied(&self) -> bool {
        let applied = self.state.template.as_ref().map(|template| &template.shape);
        applied == Some(&self.template.shape)
    }

    /// Whether that was the doing of a new operator.
    fn is_upgraded(&self) -> bool {
        self.state.upgrade && self.is_applied()
    }

    fn has_failed(&self) -> bool {
        let failure = self.state.failure.as_ref();
        let is_put_back = failure.is_some_and(|failure| failure.upgrade && !failure.retrying);
        let fails = self.state.upgrade && matches!(self.judgement, Judgement::Failed(_));
        self.is_applied() && (is_put_back || fails)
    }

    /// Whether its turn goes on. One whose pods only wait is left behind when they have waited as long
    /// as pods get to become ready.
    fn goes_on(&self, now: Timestamp) -> bool {
        let takes_time = match self.judgement {
            Judgement::Progressing { .. } => true,
            Judgement::Waiting { due, .. } => now < *due,
            Judgement::Complete | Judgement::Failed(_) => false,
        };
        self.is_upgraded() && takes_time
    }
}

/// Gives the children the templates that they may have, and what is to be remembered.
pub fn revise(
    built: &mut [Child],
    live: &Live,
    children: &Children,
    request: &Request<'_>,
    turn: &waves::Turn,
) -> Report {
    let parts = live.parts(built);
    let is_wanted = parts.iter().any(|part| part.is_wanted(request.generation));
    // Redis was given a new template and the operator died before the API was: the turn goes on.
    let has_begun = parts.iter().any(|part| part.goes_on(request.now));
    let may_upgrade = *turn == waves::Turn::Go || has_begun;
    let mut report = Report::default();
    for child in built {
        let place = place(request.owner, child.kind, child.name.clone());
        let template = &child.object["spec"]["template"];
        let image_waits = request.before_image.message(redis::image(template));
        let wish = |live: Option<&Value>| Wish {
            template,
            image_waits: image_waits.as_deref(),
            generation: request.generation,
            automatic: request.settings.automatic,
            retry: request.retry,
            may_upgrade,
            is_edited: live.is_some_and(|live| is_edited(children, &place, template, live)),
            now: request.now,
        };
        let decision = match child.kind {
            Kind::Deployment => {
                let live = live.api.as_ref();
                let decision = decide::decide(&wish(live.map(|live| &live.template)), live);
                report.status = status(&decision, live);
                report.api = decision.standing.clone();
                decision
            }
            Kind::StatefulSet => {
                let live = live.redis.as_ref();
                let decision = redis::decide(&wish(live.map(|live| &live.template)), live);
                report.in_the_way = live.map_or_else(Vec::new, |live| live.in_the_way(&decision.state));
                report.redis = decision.standing.clone();
                if let Standing::Waiting(message) = &decision.standing
                    && image_waits.as_ref() == Some(message)
                {
                    report.image_waits.clone_from(&image_waits);
                    if let BeforeImage::Waiting { job } = request.before_image {
                        report.backup_before = Some(job.clone());
                    }
                }
                decision
            }
            _ => continue,
        };
        let dates = [report.look_again, decision.look_again];
        report.look_again = dates.into_iter().flatten().min();
        *child = revised(child, &decision);
    }
    if let waves::Turn::Held(by) = turn
        && is_wanted
        && !may_upgrade
    {
        report.held_by = Some(by.clone());
    }
    report
}

/// Whether the live template is not what our last apply made of the one that was built.
fn is_edited(children: &Children, place: &Place, built: &Value, live: &Value) -> bool {
    let in_object = |template: &Value| json!({"spec": {"template": template}});
    let found = differences(&in_object(built), &in_object(live));
    !found
        .iter()
        .all(|difference| children.tolerates(place, difference))
}

/// The child with the template that was decided on, and what is to be remembered beside it.
fn revised(child: &Child, decision: &Decision) -> Child {
    child.changed(|object| {
        object["spec"]["template"] = decision.template.clone();
        decision.state.write(object);
    })
}

fn status(decision: &Decision, live: Option<&revisions::Live>) -> RolloutStatus {
    let current = live.and_then(|live| live.current.as_ref());
    let revision = current.map(|current| current.name.clone()).unwrap_or_default();
    let is_complete = live.is_some_and(|live| live.judgement == Judgement::Complete);
    let is_good = is_complete
        && decision
            .state
            .failure
            .as_ref()
            .is_none_or(|failure| !failure.retrying);
    let failure = decision.state.failure.as_ref();
    RolloutStatus {
        last_good: if is_good {
            revision.clone()
        } else {
            decision.state.last_good.clone().unwrap_or_default()
        },
        revision,
        failed: failure
            .map(|failure| failure.revision.clone())
            .unwrap_or_default(),
        message: match &decision.standing {
            Standing::Followed => String::new(),
            Standing::Held => {
                "This operator would replace the pods, and waits for its turn to do so.".to_owned()
            }
            Standing::Waiting(message) | Standing::Failed(message) | Standing::RolledBack(message) => {
                shorten(message)
            }
        },
    }
}

/// The longest message that the status takes.
fn shorten(message: &str) -> String {
    message.chars().take(1024).collect()
}

fn place(owner: &Owner, kind: Kind, name: String) -> Place {
    Place {
        kind,
        namespace: owner.namespace.clone(),
        name,
    }
}

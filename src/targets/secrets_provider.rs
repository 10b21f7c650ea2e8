//! The lines of `prod.env` about a secret with the databases, and those that it stands in the place of.
//!
//! The latter are set aside with a comment mark of their own, so that they are told from what people have commented and come
//! back byte by byte.

use std::path::Path;

use super::Context;
use super::vars::portable;
use crate::context::meant;
use crate::envfile::{Edit, PortableValue, State, Syntax, find};
use crate::finding::{Finding, ids};
use crate::plan::Draft;
use crate::problem::Problem;
use crate::settings::{Key, SecretsProvider};
use crate::text;
use crate::text::{Foreign, ics_setup_before, own};
use crate::vendor::Vendor;

/// What is to be done to the file.
pub(super) enum Lines {
    /// Nothing is said about a secret.
    Stay,
    /// It has these lines, and others are set aside.
    Set([(&'static str, PortableValue); 2]),
    /// These lines go, and others come back.
    Gone(Vec<&'static str>),
}

impl Lines {
    /// As the settings say it of a file with these bytes. A secret that is none of AWS is not taken over.
    ///
    /// # Errors
    /// A value that some reader would not take as it is.
    pub(super) fn of(
        context: &Context<'_>,
        bytes: &[u8],
        shown: &Path,
        draft: &mut Draft<'_>,
    ) -> Result<Self, Problem> {
        let provider = &Vendor::get().secrets_provider;
        let [variable, region_variable] = provider.variables();
        let last = |name, state| {
            let lines = find(bytes, Syntax::EnvFile, &[name]);
            let last = lines.into_iter().rev().find(|at| at.state == state)?;
            meant(&bytes[last.value]).filter(|value| !value.is_empty())
        };
        let active = last(variable, State::Active);
        match &context.settings.secrets_provider {
            None => Ok(Self::Stay),
            Some(SecretsProvider::Aws { secret, region, .. }) => {
                if let Some(other) = active.as_deref().filter(|own| !provider.is_aws(own)) {
                    let title = text!(
                        "{} has another secret with the databases: {}",
                        shown,
                        Foreign::new(provider.shown(other))
                    );
                    draft.note(
                        Finding::fail(ids::SECRETS_PROVIDER, title)
                            .expected(text!("none, or one of AWS: {}={},…", own(variable), own(&provider.aws)))
                            .cause("what else its line says would not go with a secret of AWS")
                            .advise(text!(
                                "take it out first, then run the same again: {}",
                                ics_setup_before(context.phase.verb(), "--no-secrets-provider")
                            )),
                    );
                }
                // One that was taken out is taken up again.
                let present = active.or_else(|| last(variable, State::Commented));
                let value = provider.value(present.as_deref(), secret, region);
                let value = portable(Key::AwsSecret.as_str(), "name", value.as_bytes(), shown)?;
                let region = portable(Key::AwsRegion.as_str(), "region", region.as_bytes(), shown)?;
                Ok(Self::Set([(variable, value), (region_variable, region)]))
            }
            Some(SecretsProvider::Removed) => {
                let region = active.as_deref().and_then(|own| provider.member(own, &provider.region));
                // Another region is somebody else's.
                let is_its_own = region.is_some() && last(region_variable, State::Active).as_deref() == region;
                Ok(Self::Gone(if is_its_own { vec![variable, region_variable] } else { vec![variable] }))
            }
        }
    }

    /// The edits, beside those of the back ends that are `named`.
    pub(super) fn edits<'a>(&'a self, named: &[(&str, PortableValue)]) -> Vec<Edit<'a>> {
        let outranked = Vendor::get().secrets_provider.outranked();
        let mut edits = Vec::new();
        match self {
            Self::Stay => {}
            Self::Set(lines) => {
                edits.extend(lines.iter().map(|(name, value)| Edit::Set(name, value.as_bytes())));
                outranked.for_each(|name| edits.push(Edit::Aside(name)));
            }
            Self::Gone(names) => {
                edits.extend(names.iter().map(|name| Edit::Remove(name)));
                let back = outranked.filter(|name| !named.iter().any(|(own, _)| own == name));
                back.for_each(|name| edits.push(Edit::Back(name)));
            }
        }
        edits
    }
}

//! Which line answers which number: for calls that come in, and for those that switch from one plan to another.

use std::sync::Arc;

use super::reload::Lines;
use crate::call::line::Line;
use crate::config::Route;

/// The numbers and their lines. Cheap to clone.
#[derive(Clone)]
pub(super) struct Board {
    routes: Arc<[Route]>,
    lines: Lines,
}

impl Board {
    pub(super) fn new(routes: &[Route], lines: Lines) -> Self {
        Self { routes: routes.into(), lines }
    }

    /// The line that answers `called`, as its plan is now.
    pub(super) fn line(&self, called: &str) -> Option<Arc<Line>> {
        let route = self.routes.iter().find(|r| r.number == called);
        let route = route.or_else(|| self.routes.iter().find(|r| r.number == "*"));
        self.lines.get(&route?.plan)
    }
}

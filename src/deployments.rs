//! Deployments: a record of what an agent was when it was published, which a runtime reads. Nothing runs because of them.

pub mod model;
pub mod service;
pub mod store;

pub use model::{Deployment, DeploymentError, Environment};

//! Types for audit entries.

/// The kind of an audited action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    SignedIn,
    WorkspaceCreated,
    WorkspaceChanged,
    AgentCreated,
    AgentRenamed,
    AgentDeleted,
    AgentRestored,
    AttributeCreated,
    AttributeRenamed,
    AttributeDeleted,
    VariantCreated,
    VariantEdited,
    VariantDeleted,
    DeploymentPublished,
    DeploymentPromoted,
    DeploymentRolledBack,
    KeyCreated,
    KeyCopied,
    KeyEdited,
    KeyDeleted,
    KeyRestored,
    KeyRotated,
    KeyOldValueEnded,
    KeyRotationCancelled,
    KeyPaused,
    KeyResumed,
    KeyRequested,
    KeyRequestDeclined,
    ConfigurationChanged,
    UserInvited,
    InvitationWithdrawn,
    UserAdded,
    UserChanged,
    UserRemoved,
    PasswordChanged,
    RuntimeTokenCreated,
    RuntimeTokenRevoked,
}

impl Action {
    /// Each action with its stored name and its label.
    pub const ALL: [(Self, &'static str, &'static str); 37] = [
        (Self::SignedIn, "signed-in", "Signed in"),
        (Self::WorkspaceCreated, "workspace-created", "Workspace created"),
        (Self::WorkspaceChanged, "workspace-changed", "Workspace settings changed"),
        (Self::AgentCreated, "agent-created", "Agent created"),
        (Self::AgentRenamed, "agent-renamed", "Agent renamed"),
        (Self::AgentDeleted, "agent-deleted", "Agent deleted"),
        (Self::AgentRestored, "agent-restored", "Agent restored"),
        (Self::AttributeCreated, "attribute-created", "Attribute created"),
        (Self::AttributeRenamed, "attribute-renamed", "Attribute renamed"),
        (Self::AttributeDeleted, "attribute-deleted", "Attribute deleted"),
        (Self::VariantCreated, "variant-created", "Variant created"),
        (Self::VariantEdited, "variant-edited", "Variant edited"),
        (Self::VariantDeleted, "variant-deleted", "Variant deleted"),
        (Self::DeploymentPublished, "deployment-published", "Deployment published"),
        (Self::DeploymentPromoted, "deployment-promoted", "Deployment promoted"),
        (Self::DeploymentRolledBack, "deployment-rolled-back", "Deployment rolled back"),
        (Self::KeyCreated, "key-created", "API key created"),
        (Self::KeyCopied, "key-copied", "API key copied"),
        (Self::KeyEdited, "key-edited", "API key edited"),
        (Self::KeyDeleted, "key-deleted", "API key deleted"),
        (Self::KeyRestored, "key-restored", "API key restored"),
        (Self::KeyRotated, "key-rotated", "API key rotated"),
        (Self::KeyOldValueEnded, "key-old-value-ended", "Old value of an API key ended"),
        (Self::KeyRotationCancelled, "key-rotation-cancelled", "Rotation of an API key cancelled"),
        (Self::KeyPaused, "key-paused", "API key paused"),
        (Self::KeyResumed, "key-resumed", "API key resumed"),
        (Self::KeyRequested, "key-requested", "API key requested"),
        (Self::KeyRequestDeclined, "key-request-declined", "Request for an API key declined"),
        (Self::ConfigurationChanged, "configuration-changed", "Configuration changed"),
        (Self::UserInvited, "user-invited", "User invited"),
        (Self::InvitationWithdrawn, "invitation-withdrawn", "Invitation withdrawn"),
        (Self::UserAdded, "user-added", "User added"),
        (Self::UserChanged, "user-changed", "Role changed"),
        (Self::UserRemoved, "user-removed", "User removed"),
        (Self::PasswordChanged, "password-changed", "Password changed"),
        (Self::RuntimeTokenCreated, "runtime-token-created", "Runtime token created"),
        (Self::RuntimeTokenRevoked, "runtime-token-revoked", "Runtime token revoked"),
    ];

    /// The stored name.
    pub fn id(self) -> &'static str {
        Self::ALL.iter().find(|(action, ..)| *action == self).map_or("", |(_, id, _)| id)
    }

    /// The action with this stored name.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == id).map(|(action, ..)| *action)
    }
}

//! What keeps a door shut that no rule of the model guards.
//!
//! Guarantees: whatever is refused for another reason than a rule names its ground here, so that every refusal has an
//! explanation (`every_kind_of_refusal_is_told_as_a_tree`). A ground says nothing of data.

macro_rules! grounds {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $told:literal, $change:literal;)*) => {
        /// Why something is refused whatever the rules of the model are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Ground { $($(#[$doc])* $name,)* }

        impl Ground {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word for it.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
            /// In a sentence.
            pub fn told(self) -> &'static str {
                match self { $(Self::$name => $told,)* }
            }
            /// What would change it.
            pub fn change(self) -> &'static str {
                match self { $(Self::$name => $change,)* }
            }
        }
    };
}

grounds! {
    /// Nobody is signed in.
    SignedOut = "signed-out", "this is for people who are signed in, and the session was none, or had ended",
        "signing in";
    /// Something of the server's own, not of the model's, decides in the administration.
    Delegation = "delegation", "what is given and taken in the administration stays within what the administrator may assign, and never reaches themselves",
        "another administrator, or `mayAssign` at a user role of the administrator's";
    /// The caller may use no part of the administration.
    NoAdministration = "no-administration", "no part of the administration is open to these user roles",
        "one of the user roles that `administration` names";
    /// A value that the decision needs could not be had.
    Undecided = "undecided", "what cannot be decided is refused: a value that was needed is withheld, or could not be computed",
        "a right to read what was needed, for whoever runs it: a rule of the entity, or for a microflow a grant in its `elevation:`";
    /// Accounts are not the model's to write.
    BuiltIn = "built-in", "accounts and roles are written in the administration only, never by a microflow or a page",
        "nothing: the built-in entities are closed to the model";
    /// Visitors reach no database.
    NoStoredData = "no-stored-data", "visitors reach no stored data, whatever the rules are: no connection is given to them",
        "signing in, or a public snapshot of what they should see";
    /// Registration is for visitors.
    Registration = "registration", "only visitors register, and only where the app lets them",
        "`registration` in the app, and nobody signed in";
    /// What was sent fits nothing that was offered.
    Misfit = "misfit", "a value that was sent does not fit what it was sent for",
        "sending what the page offers";
    /// A proof for one thing was shown for another.
    ForeignPermit = "foreign-permit", "a permit is good for the caller and the thing it was given for, and for nothing else",
        "nothing that is granted: this is a fault of the server, which refused to be safe";
    /// Nothing that a page of ours sends.
    Forged = "forged", "what came was not sent by a page that this server gave to this session",
        "opening the page anew, and sending what it offers";
    /// There is nothing there for this caller.
    NotThere = "not-there", "what was asked for does not exist, or is not this caller's: the answer is the same",
        "an address that the server itself gave to this caller";
    /// Two layers decided differently.
    Disagreement = "disagreement", "two layers decided differently about one thing; then nobody is let through",
        "nothing that is granted: one of the layers has a fault, and the record names both decisions";
}

impl Ground {
    /// Reads back what [`Ground::id`] wrote.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|ground| ground.id() == id)
    }
}

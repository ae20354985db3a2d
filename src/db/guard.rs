//! SQLite's guard: it is asked about every statement before it exists, and says in whose name it runs.
//!
//! Guarantees: no SQLite connection of this process is opened without it; what it does not admit is
//! never prepared; a statement prepared under one authority does not run under another; the values
//! that generated objects read as the caller are those of the authority, and none without one.
//! Deliberately not here: what is admitted (`admit`). This is the only module with unsafe code: it
//! hands C functions to SQLite and reads what SQLite hands to them, nothing else.

use super::admit::{Authority, Question, admits};
use super::shelf::Shelf;
use super::{DbError, Standing};
use crate::domain::DATETIME_FORMAT;
use diesel::connection::{Connection, Instrumentation, InstrumentationEvent};
use diesel::sqlite::SqliteConnection;
use libsqlite3_sys as ffi;
use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// What the connection's owner and SQLite's callbacks both look at.
struct State {
    authority: Mutex<Authority>,
    /// What generated objects stand on the connection.
    shelf: Mutex<Shelf>,
    /// Whether a dynamic statement of ours is about to be prepared, the only kind a set may have.
    asking: AtomicBool,
    /// The open connection; null before and after.
    handle: AtomicPtr<ffi::sqlite3>,
}

/// The hand on a connection's guard.
pub struct Guard(Arc<State>);

thread_local! {
    /// The state of the connection that this thread is opening.
    static OPENING: RefCell<Option<Arc<State>>> = const { RefCell::new(None) };
}

/// Whether SQLite calls [`install`] for each connection from now on.
// SAFETY: `install` has the signature that SQLite documents for the entry point of an extension, and lives
// as long as the process.
static REGISTERED: LazyLock<bool> = LazyLock::new(|| unsafe { ffi::sqlite3_auto_extension(Some(install)) } == ffi::SQLITE_OK);

impl Guard {
    /// Opens a connection under guard and sets it up with the owner's authority; then its statements are counted.
    pub(super) fn establish(
        path: &str,
        set_up: impl FnOnce(&mut SqliteConnection) -> Result<(), DbError>,
        counter: impl Instrumentation,
    ) -> Result<(SqliteConnection, Self), DbError> {
        if !*REGISTERED {
            return Err(DbError::Refused("SQLite does not take the guard".into()));
        }
        let state = Arc::new(State {
            authority: Mutex::new(Authority::Owner),
            shelf: Mutex::default(),
            asking: AtomicBool::new(false),
            handle: AtomicPtr::default(),
        });
        OPENING.with_borrow_mut(|opening| *opening = Some(state.clone()));
        let opened = SqliteConnection::establish(path);
        OPENING.take();
        let mut conn = opened.map_err(|error| DbError::Unavailable(error.into()))?;
        if state.handle.load(Ordering::Acquire).is_null() {
            return Err(DbError::Refused("a connection to SQLite has no guard".into()));
        }
        set_up(&mut conn)?;
        conn.set_instrumentation(Watch { state: state.clone(), counter });
        Ok((conn, Self(state)))
    }

    /// Changes whose statements run from now on.
    pub(super) fn set(&self, authority: Authority) {
        *self.0.authority.lock().unwrap_or_else(PoisonError::into_inner) = authority;
    }

    /// Looks at what stands on the connection. No statement may run meanwhile.
    pub(super) fn shelf<T>(&self, look: impl FnOnce(&mut Shelf) -> T) -> T {
        look(&mut self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Announces a dynamic statement, and that it is over.
    pub(super) fn asking(&self, asks: bool) {
        self.0.asking.store(asks, Ordering::Release);
    }
}

impl State {
    fn with<T>(&self, read: impl FnOnce(&Authority) -> T) -> T {
        read(&self.authority.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A set's statements are dynamic ones that were announced; whatever else runs under its authority is a fault.
    fn is_unannounced(&self) -> bool {
        self.with(|authority| matches!(authority, Authority::Set(_) | Authority::Nobody)) && !self.asking.load(Ordering::Acquire)
    }
}

/// Sees each statement before Diesel looks for a prepared one.
struct Watch<C> {
    state: Arc<State>,
    counter: C,
}

impl<C: Instrumentation> Instrumentation for Watch<C> {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) && self.state.is_unannounced() {
            // SECURITY: a typed statement may be kept from when the system asked it, and then SQLite would not
            // ask again. Setting the authorizer anew makes every prepared statement be prepared, and judged, again.
            let handle = self.state.handle.load(Ordering::Acquire);
            if !handle.is_null() {
                // SAFETY: this value is owned by the connection of that handle and is called by it only while
                // the connection is in use, so it is open, and no call into SQLite is under way. The state
                // outlives the connection (see `install`).
                unsafe { ffi::sqlite3_set_authorizer(handle, Some(judge), Arc::as_ptr(&self.state).cast_mut().cast()) };
            }
        }
        self.counter.on_connection_event(event);
    }
}

/// Called by SQLite for each connection it opens: an error makes the opening fail, so there is none without a guard.
unsafe extern "C" fn install(db: *mut ffi::sqlite3, _: *mut *mut c_char, _: *const ffi::sqlite3_api_routines) -> c_int {
    let Some(state) = OPENING.try_with(|opening| opening.try_borrow_mut().ok()?.take()).ok().flatten() else {
        return ffi::SQLITE_AUTH;
    };
    type Function = unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);
    let functions: [(&CStr, c_int, Function); 5] = [
        (c"portcullis_user", 0, user),
        (c"portcullis_now", 0, now),
        (c"portcullis_today", 0, today),
        (c"portcullis_set", 0, set),
        (c"portcullis_watched_by", 1, watched_by),
    ];
    for (name, arguments, function) in functions {
        // SAFETY: `db` is the connection SQLite is opening. The name is a C string that SQLite copies. The user
        // data is a counted reference to the state, given back by `forget` when the connection closes, or at
        // once when this call fails; hence the state lives at least as long as the connection.
        let done = unsafe {
            ffi::sqlite3_create_function_v2(
                db,
                name.as_ptr(),
                arguments,
                ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS,
                Arc::into_raw(state.clone()).cast_mut().cast(),
                Some(function),
                None,
                None,
                Some(forget),
            )
        };
        if done != ffi::SQLITE_OK {
            return done;
        }
    }
    // SAFETY: as above; the references that the functions hold keep the state alive for the authorizer too.
    let done = unsafe { ffi::sqlite3_set_authorizer(db, Some(judge), Arc::as_ptr(&state).cast_mut().cast()) };
    if done == ffi::SQLITE_OK {
        state.handle.store(db, Ordering::Release);
    }
    done
}

/// Called by SQLite when a function goes, that is when the connection closes.
unsafe extern "C" fn forget(data: *mut c_void) {
    // SAFETY: `data` came from `Arc::into_raw` in `install`, and SQLite calls this once for each.
    let state = unsafe { Arc::from_raw(data.cast_const().cast::<State>()) };
    state.handle.store(null_mut(), Ordering::Release);
}

/// Called by SQLite while it prepares a statement.
unsafe extern "C" fn judge(
    data: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    schema: *const c_char,
    inside: *const c_char,
) -> c_int {
    // SAFETY: `data` is the state given to `sqlite3_set_authorizer`, alive while the connection is (see `install`).
    let Some(state) = (unsafe { data.cast_const().cast::<State>().as_ref() }) else { return ffi::SQLITE_DENY };
    // SAFETY: SQLite passes null or C strings that live for the length of this call; nothing keeps them longer.
    let [first, second, schema, inside] = [first, second, schema, inside].map(|text| unsafe { text_of(text) });
    let admitted = catch_unwind(AssertUnwindSafe(|| {
        // What cannot be read is no name of ours.
        let (Ok(first), Ok(second), Ok(schema), Ok(inside)) = (first, second, schema, inside) else { return false };
        let question = Question { action, first: first.unwrap_or_default(), second: second.unwrap_or_default(), schema, inside };
        let shelf = state.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        !state.is_unannounced() && state.with(|authority| admits(authority, &question, &shelf))
    }));
    if matches!(admitted, Ok(true)) { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

/// # Safety
/// `text` is null or a C string that lives as long as the result is used.
unsafe fn text_of<'a>(text: *const c_char) -> Result<Option<&'a str>, std::str::Utf8Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and as this function demands.
    unsafe { CStr::from_ptr(text) }.to_str().map(Some)
}

/// What a context function says.
enum Word {
    Number(i64),
    Text(String),
}

unsafe extern "C" fn user(context: *mut ffi::sqlite3_context, _: c_int, _: *mut *mut ffi::sqlite3_value) {
    // SAFETY: SQLite calls this with the context of a call to a function that `install` made.
    unsafe { say(context, |standing| standing.user.map(|id| Word::Number(id.0))) }
}
unsafe extern "C" fn now(context: *mut ffi::sqlite3_context, _: c_int, _: *mut *mut ffi::sqlite3_value) {
    // SAFETY: as for `user`.
    unsafe { say(context, |standing| Some(Word::Text(standing.now.format(DATETIME_FORMAT).to_string()))) }
}
unsafe extern "C" fn today(context: *mut ffi::sqlite3_context, _: c_int, _: *mut *mut ffi::sqlite3_value) {
    // SAFETY: as for `user`.
    unsafe { say(context, |standing| Some(Word::Text(standing.now.format("%F").to_string()))) }
}
unsafe extern "C" fn set(context: *mut ffi::sqlite3_context, _: c_int, _: *mut *mut ffi::sqlite3_value) {
    // SAFETY: as for `user`.
    unsafe { say(context, |standing| Some(Word::Text(standing.set.to_string()))) }
}

/// Whether a piece looks at what is written in the name of the present set: 1, or 0, also when there is no set.
unsafe extern "C" fn watched_by(context: *mut ffi::sqlite3_context, count: c_int, values: *mut *mut ffi::sqlite3_value) {
    // SAFETY: SQLite passes as many values as it says, which live for the length of this call. The text of a value is
    // null or a C string that lives until the value is used again, and nothing keeps it longer. The user data is the
    // state, as for `say`.
    let watched = catch_unwind(AssertUnwindSafe(|| unsafe {
        let value = if count == 1 && !values.is_null() { *values } else { return false };
        let Ok(Some(id)) = text_of(ffi::sqlite3_value_text(value).cast()) else { return false };
        let state = ffi::sqlite3_user_data(context).cast_const().cast::<State>().as_ref();
        state.is_some_and(|state| {
            state.with(|authority| matches!(authority, Authority::Set(scope) if scope.standing.reach.is_watched_by(id)))
        })
    }));
    // SAFETY: the context is valid for the length of this call.
    unsafe {
        match watched {
            Ok(watched) => ffi::sqlite3_result_int64(context, i64::from(watched)),
            Err(_) => ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERNAL),
        }
    }
}

/// Answers with what the authority stands for; empty when nobody has one.
///
/// # Safety
/// `context` is that of a running call to a function that [`install`] made.
unsafe fn say(context: *mut ffi::sqlite3_context, word: impl FnOnce(&Standing) -> Option<Word>) {
    // SAFETY: the user data of these functions is the state, which lives until they are forgotten.
    let state = unsafe { ffi::sqlite3_user_data(context).cast_const().cast::<State>().as_ref() };
    let said = catch_unwind(AssertUnwindSafe(|| {
        state?.with(|authority| match authority {
            Authority::Set(scope) => word(&scope.standing),
            _ => None,
        })
    }));
    // SAFETY: the context is valid for the length of this call. The text is copied before it goes, because
    // SQLITE_TRANSIENT asks for that.
    unsafe {
        match said {
            Ok(Some(Word::Number(number))) => ffi::sqlite3_result_int64(context, number),
            Ok(Some(Word::Text(text))) => match c_int::try_from(text.len()) {
                Ok(length) => ffi::sqlite3_result_text(context, text.as_ptr().cast(), length, ffi::SQLITE_TRANSIENT()),
                Err(_) => ffi::sqlite3_result_error_toobig(context),
            },
            Ok(None) => ffi::sqlite3_result_null(context),
            Err(_) => ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERNAL),
        }
    }
}

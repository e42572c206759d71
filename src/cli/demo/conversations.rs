//! Generates realistic conversations from a seed.
//!
//! Dialogues are scripts. Each line begins with a mark: `>` an intent and what the caller says, `|` more phrasings of
//! it, `#` keypad input instead of speech, `*` a metric that is written, `<` the agent's response, `!` the destination
//! of a handoff. Within a line, ` | ` separates phrasings, ` ~ ` separates a phrasing from its English translation, and
//! `[name]` stands for a fact about the caller.

use crate::base::randomness::Random;
use crate::base::time::Timestamp;
use crate::base::time::format_instant;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The subject of one of the demo's agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    HotelReservations,
    RetailOrders,
    UtilityBilling,
}

/// Generates `count` conversations of an agent, newest first, spread over the 60 days before `now`.
pub fn generate(topic: Topic, seed: u64, count: usize, now: Timestamp) -> Vec<Value> {
    // Agents with the same seed still get different callers and ids.
    let dice = Dice(Random::seeded(seed.wrapping_mul(3).wrapping_add(topic as u64)));
    let in_progress = count.div_ceil(100);
    let mut made: Vec<_> = (0..count).map(|i| conversation(&dice, topic, now, i < in_progress)).collect();
    made.sort_by_key(|(started_at, _)| Reverse(*started_at));
    made.into_iter().map(|(_, conversation)| conversation).collect()
}

/// Age of the oldest and of the newest finished conversations, in seconds. `NEWEST` is longer than any conversation
/// lasts.
const OLDEST: usize = 60 * 86_400;
const NEWEST: usize = 3_600;

/// One conversation and its start.
fn conversation(dice: &Dice, topic: Topic, now: Timestamp, in_progress: bool) -> (Timestamp, Value) {
    let (about, voice, ending) = (topic.about(), dice.chance(80), Ending::draw(dice, in_progress));
    // The lower of two draws, so that the first variant is the most frequent.
    let variant = &about.variants[dice.below(about.variants.len()).min(dice.below(about.variants.len()))];
    let past = if in_progress { now } else { past(dice, now) };
    let course = course(dice, about, ending);
    let facts = facts(dice, topic, variant.american, voice, past);
    let mut call = DemoCall { dice, facts, voice, clock: 0, turns: Vec::new(), metrics: BTreeMap::new() };
    call.play(&course);
    let handoff = course.last().filter(|step| !step.destination.is_empty());
    call.note_ending(ending, handoff);
    let ours = call.clock / 1000 + 1;
    // A conversation in progress began just long enough ago for its turns so far.
    let started_at = if in_progress { past.plus_seconds(-ours - dice.spread(2, 6)) } else { past };
    let started_at = Timestamp::from_seconds(started_at.seconds());
    let environment = match dice.below(100) {
        0..82 => "live",
        82..95 => "sandbox",
        _ => "pre-release",
    };
    let numbers = if voice { (dice.phone(variant.american), variant.number) } else { (String::new(), "") };
    let mut value = json!({
        "id": format!("CA{}", dice.0.text(b"0123456789abcdef", 32)),
        "variant_id": variant.id,
        "variant_name": variant.name,
        "environment": environment,
        "started_at": started_at.iso(),
        "channel": if voice { "VOICE-SIP" } else { "WEBCHAT" },
        "from_number": numbers.0,
        "to_number": numbers.1,
        "in_progress": in_progress,
        "num_turns": call.turns.len(),
        "handoff": handoff.is_some(),
        "handoff_reason": handoff.map_or("", |step| step.intent),
        "handoff_destination": handoff.map_or("", |step| step.destination),
        "num_silences": call.turns.iter().filter(|turn| turn.silence).count(),
        "num_ood": call.turns.iter().filter(|turn| turn.ood).count(),
        "metrics": call.metrics(),
        "state": call.state(),
        "turns": call.turns.iter().map(|turn| turn.document(started_at)).collect::<Vec<_>>(),
    });
    if !in_progress {
        let theirs = if handoff.is_some() { dice.spread(45, 540) } else { 0 };
        value["polyai_duration"] = json!(ours);
        value["total_duration"] = json!(ours + theirs);
    }
    (started_at, value)
}

/// A random start of a finished conversation.
fn past(dice: &Dice, now: Timestamp) -> Timestamp {
    let draw = || now.plus_seconds(-dice.spread(NEWEST as i64, OLDEST - NEWEST));
    let at = draw();
    // Few people call at night.
    if at.utc().hour() < 6 && dice.chance(85) { draw() } else { at }
}

/// Random choices that are the same for the same seed.
struct Dice(Random);

impl Dice {
    fn below(&self, n: usize) -> usize {
        (u64::from_le_bytes(self.0.bytes()) % n.max(1) as u64) as usize
    }

    fn spread(&self, from: i64, spread: usize) -> i64 {
        from + self.below(spread) as i64
    }

    fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn digits(&self, len: usize) -> String {
        self.0.text(b"0123456789", len)
    }

    /// A phone number from the ranges that are reserved for fiction.
    fn phone(&self, american: bool) -> String {
        match american {
            true => format!("+1{}55501{:02}", self.pick(AREA_CODES), self.below(100)),
            false => format!("+447700900{:03}", self.below(900)),
        }
    }
}

/// How a call ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Ongoing,
    Handoff,
    BrokenOff,
    Goodbye,
}

impl Ending {
    fn draw(dice: &Dice, in_progress: bool) -> Self {
        match dice.below(100) {
            _ if in_progress => Self::Ongoing,
            0..20 => Self::Handoff,
            20..27 => Self::BrokenOff,
            _ => Self::Goodbye,
        }
    }
}

/// One exchange: what the caller says, and how the agent responds.
#[derive(Default)]
struct Step {
    intent: &'static str,
    caller: Vec<&'static str>,
    keypad: &'static str,
    metrics: Vec<(&'static str, &'static str)>,
    agent: Vec<&'static str>,
    destination: &'static str,
}

/// Parses a script.
fn steps(script: &'static str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (mark, text) in script.lines().filter_map(|line| line.split_once(' ')) {
        if mark == ">" {
            let (intent, said) = text.split_once(": ").unwrap_or(("", text));
            steps.push(Step { intent, caller: said.split(" | ").collect(), ..Step::default() });
        } else if let Some(step) = steps.last_mut() {
            match mark {
                "|" => step.caller.extend(text.split(" | ")),
                "#" => step.keypad = text,
                "*" => step.metrics.extend(text.split_once(' ')),
                "<" => step.agent.extend(text.split(" | ")),
                _ => step.destination = text,
            }
        }
    }
    steps
}

fn any_step(dice: &Dice, script: &'static str) -> Step {
    let mut steps = steps(script);
    steps.swap_remove(dice.below(steps.len()))
}

/// The steps of a call after the greeting.
fn course(dice: &Dice, about: &About, ending: Ending) -> Vec<Step> {
    let spanish = dice.chance(5);
    let mut course = steps(if spanish { about.spanish } else { dice.pick(about.scripts) });
    if ending != Ending::Goodbye {
        // At least two steps, so that the caller's request is clear, but never all of them.
        course.truncate(2 + dice.below(course.len().saturating_sub(2)));
    } else if !spanish && dice.chance(35) {
        course.push(any_step(dice, about.extras));
    }
    let last = match (ending, spanish) {
        (Ending::Ongoing, _) => return course,
        (Ending::Handoff, false) => about.handoffs,
        (Ending::Handoff, true) => SPANISH_HANDOFF,
        (Ending::BrokenOff, false) => BROKEN_OFF,
        (Ending::BrokenOff, true) => SPANISH_BROKEN_OFF,
        (Ending::Goodbye, false) => GOODBYE,
        (Ending::Goodbye, true) => SPANISH_GOODBYE,
    };
    course.push(any_step(dice, last));
    course
}

/// Facts about one caller, by the names that scripts use.
type Facts = Vec<(&'static str, String)>;

fn facts(dice: &Dice, topic: Topic, american: bool, voice: bool, at: Timestamp) -> Facts {
    let (first, last) = (dice.pick(FIRST_NAMES), dice.pick(LAST_NAMES));
    let currency = if american { '$' } else { '£' };
    let (owed, cents) = (45 + dice.below(150), 5 * dice.below(20));
    let mut facts = match topic {
        Topic::HotelReservations => hotel_facts(dice, american, currency),
        Topic::RetailOrders => retail_facts(dice),
        Topic::UtilityBilling => utility_facts(dice),
    };
    let ahead = if topic == Topic::HotelReservations { dice.spread(5, 60) } else { dice.spread(3, 10) };
    let (date, day) = (at.plus_days(ahead).date(), at.plus_days(ahead).utc());
    facts.extend([
        ("company", topic.about().company.to_owned()),
        ("calling", (if voice { "calling" } else { "contacting" }).to_owned()),
        ("first", first.to_owned()),
        ("name", format!("{first} {last}")),
        ("iso_date", date),
        ("amount", format!("{currency}{owed}.{cents:02}")),
        ("lower", format!("{currency}{}.{cents:02}", owed - 6 - dice.below(30))),
    ]);
    let (month, day) = (day.month(), day.day());
    facts.push(("date", if american { format!("{month} {day}") } else { format!("{day} {month}") }));
    facts
}

fn hotel_facts(dice: &Dice, american: bool, currency: char) -> Facts {
    vec![
        ("city", dice.pick(if american { US_CITIES } else { UK_CITIES }).to_owned()),
        ("nights", dice.spread(2, 6).to_string()),
        ("guests", dice.spread(2, 3).to_string()),
        ("room", dice.pick(ROOMS).to_owned()),
        ("rate", format!("{currency}{}", dice.spread(84, 140))),
        ("reference", dice.digits(7)),
        ("hour", dice.spread(10, 2).to_string()),
    ]
}

fn retail_facts(dice: &Dice) -> Facts {
    let (status, whereabouts) = dice.pick(STATUSES);
    vec![
        ("item", dice.pick(ITEMS).to_owned()),
        ("order", dice.digits(8)),
        ("fault", dice.pick(FAULTS).to_owned()),
        ("slot", dice.pick(&["morning", "afternoon", "evening"]).to_owned()),
        ("status", status.to_owned()),
        ("whereabouts", whereabouts.to_owned()),
    ]
}

fn utility_facts(dice: &Dice) -> Facts {
    let rest = dice.digits(4);
    vec![
        ("account", dice.digits(9)),
        ("card", dice.digits(4)),
        // The first digit is misread, so that this is lower than the last reading.
        ("first_reading", format!("1{rest}")),
        ("reading", format!("{}{rest}", dice.spread(4, 6))),
    ]
}

/// What one side says, with a translation if it is not English.
#[derive(Default)]
struct Line {
    said: String,
    english: String,
    entities: Facts,
}

#[derive(Default)]
struct DemoTurn {
    caller: Line,
    keypad: String,
    agent: Line,
    intents: Vec<&'static str>,
    ood: bool,
    silence: bool,
    /// Milliseconds since the start of the call.
    heard_at: i64,
    answered_at: i64,
}

impl DemoTurn {
    fn document(&self, started_at: Timestamp) -> Value {
        let instant = |millis: i64| format_instant(Timestamp(started_at.0 + millis * 1000));
        json!({
            "user_input": self.caller.said,
            "user_input_dtmf": self.keypad,
            "user_input_datetime": instant(self.heard_at),
            "agent_response": self.agent.said,
            "agent_response_datetime": instant(self.answered_at),
            "latency": (self.answered_at - self.heard_at) as f64 / 1000.0,
            "translated_user_input": self.caller.english,
            "english_agent_response": self.agent.english,
            "intents": self.intents,
            "entities": self.caller.entities.iter().map(|(name, value)| entity(name, value)).collect::<Vec<_>>(),
            "is_ood": self.ood,
            "is_silence": self.silence,
        })
    }
}

fn entity(name: &str, value: &str) -> Map<String, Value> {
    [(name.to_owned(), Value::from(value))].into_iter().collect()
}

/// A call while it is generated.
struct DemoCall<'a> {
    dice: &'a Dice,
    facts: Facts,
    voice: bool,
    /// Milliseconds since the start of the call, at the end of the last turn.
    clock: i64,
    turns: Vec<DemoTurn>,
    metrics: BTreeMap<&'static str, Vec<String>>,
}

impl DemoCall<'_> {
    fn play(&mut self, course: &[Step]) {
        let agent = self.line(GREETINGS);
        self.turn(DemoTurn { agent, ..DemoTurn::default() });
        self.hiccup();
        for step in course {
            self.step(step);
            self.hiccup();
        }
    }

    fn step(&mut self, step: &Step) {
        let keyed = self.voice && !step.keypad.is_empty() && self.dice.chance(45);
        let mut caller = self.line(if keyed { std::slice::from_ref(&step.keypad) } else { step.caller.as_slice() });
        let keypad = if keyed { std::mem::take(&mut caller.said) } else { String::new() };
        let agent = self.line(&step.agent);
        for &(metric, value) in &step.metrics {
            let value = self.fill(value);
            self.note(metric, value);
        }
        self.turn(DemoTurn { caller, keypad, agent, intents: vec![step.intent], ..DemoTurn::default() });
    }

    /// Sometimes adds a turn in which nothing is heard or understood, and the agent asks again. At most three times in
    /// a call.
    fn hiccup(&mut self) {
        let before = self.turns.iter().filter(|turn| turn.ood || turn.silence).count();
        let Some(question) = self.question().filter(|_| before < 3 && self.dice.chance(8)) else { return };
        let silence = self.voice && self.dice.chance(50);
        let caller = if silence { Line::default() } else { self.line(OUT_OF_DOMAIN) };
        let sorry = self.dice.pick(if silence { NOT_HEARD } else { NOT_UNDERSTOOD });
        let agent = Line { said: format!("{sorry} {question}"), ..Line::default() };
        self.note("RE_PROMPT", if silence { "SILENCE" } else { "NOT_UNDERSTOOD" });
        self.turn(DemoTurn { caller, agent, silence, ood: !silence, ..DemoTurn::default() });
    }

    /// The agent's last question. English only, because the sentences for asking again are English.
    fn question(&self) -> Option<String> {
        let agent = &self.turns.last().filter(|turn| turn.agent.english.is_empty())?.agent;
        agent.said.rsplit(". ").next().filter(|text| text.ends_with('?')).map(str::to_owned)
    }

    /// Adds a turn after the last one and advances the clock by its duration.
    fn turn(&mut self, mut turn: DemoTurn) {
        let speaking = |text: &str| 330 * text.split_whitespace().count() as i64;
        let pause = if turn.silence { self.dice.spread(5_000, 3_000) } else { self.dice.spread(400, 1_600) };
        let keying = 700 * turn.keypad.len() as i64;
        turn.heard_at = self.clock + pause + speaking(&turn.caller.said) + keying;
        turn.answered_at = turn.heard_at + self.dice.spread(400, 900) + self.dice.spread(0, 900);
        self.clock = turn.answered_at + speaking(&turn.agent.said);
        self.turns.push(turn);
    }

    fn note(&mut self, metric: &'static str, value: impl Into<String>) {
        self.metrics.entry(metric).or_default().push(value.into());
    }

    fn note_ending(&mut self, ending: Ending, handoff: Option<&Step>) {
        if let Some(step) = handoff {
            self.note("HANDOFF_REASON", step.intent);
            self.note("HANDOFF_TO", step.destination);
        }
        match ending {
            Ending::Ongoing => self.note("CALL_IN_PROGRESS", "true"),
            Ending::Goodbye => self.note("CALL_COMPLETED", "true"),
            Ending::Handoff | Ending::BrokenOff => self.note("CALL_COMPLETED", "false"),
        }
    }

    fn line(&self, phrasings: &[&'static str]) -> Line {
        let phrasing = self.dice.pick(phrasings);
        let (said, english) = phrasing.split_once(" ~ ").unwrap_or((phrasing, ""));
        let named = said.split('[').skip(1).filter_map(|part| part.split_once(']'));
        let entities = named.map(|(name, _)| (name, self.fact(name))).collect();
        Line { said: self.fill(said), english: self.fill(english), entities }
    }

    fn fill(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, (name, after))) =
            rest.split_once('[').and_then(|(before, after)| Some((before, after.split_once(']')?)))
        {
            filled.push_str(before);
            filled.push_str(&self.fact(name));
            rest = after;
        }
        filled + rest
    }

    fn fact(&self, name: &str) -> String {
        match name {
            "ok" => self.dice.pick(AGREED).to_owned(),
            "else" => self.dice.pick(ANYTHING_ELSE).to_owned(),
            _ => match self.facts.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => value.clone(),
                // Left unreplaced, so that the tests find it.
                None => format!("[{name}]"),
            },
        }
    }

    /// A metric that was written once is a text, otherwise a list.
    fn metrics(&self) -> Map<String, Value> {
        let value = |values: &Vec<String>| match values.as_slice() {
            [only] => json!(only),
            several => json!(several),
        };
        self.metrics.iter().map(|(name, values)| ((*name).to_owned(), value(values))).collect()
    }

    /// What the agent has learned so far.
    fn state(&self) -> Map<String, Value> {
        let heard = self.turns.iter().flat_map(|turn| &turn.caller.entities);
        let mut state: Map<String, Value> = heard.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let spanish = self.turns.iter().any(|turn| !turn.agent.english.is_empty());
        let intent = self.turns.iter().rev().find_map(|turn| turn.intents.last()).copied().unwrap_or_default();
        state.insert("language".to_owned(), json!(if spanish { "es" } else { "en" }));
        state.insert("last_intent".to_owned(), json!(intent));
        state
    }
}

/// An agent's company, variants and scripts.
struct About {
    company: &'static str,
    variants: &'static [Variant],
    scripts: &'static [&'static str],
    /// Further questions that fit after each of the scripts.
    extras: &'static str,
    handoffs: &'static str,
    spanish: &'static str,
}

struct Variant {
    id: &'static str,
    name: &'static str,
    american: bool,
    number: &'static str,
}

impl Topic {
    fn about(self) -> &'static About {
        match self {
            Self::HotelReservations => &HOTEL,
            Self::RetailOrders => &RETAIL,
            Self::UtilityBilling => &UTILITY,
        }
    }
}

static HOTEL: About = About {
    company: "Quillmere Hotels",
    variants: &[
        Variant { id: "VARIANT-UK", name: "United Kingdom", american: false, number: "+447700900910" },
        Variant { id: "VARIANT-US", name: "United States", american: true, number: "+16465550110" },
        Variant { id: "VARIANT-RESORTS", name: "Resorts", american: true, number: "+16465550111" },
    ],
    scripts: &[
        "
> book_room: Hi, I'd like to book a room in [city], please. | Hello, have you got anything free in [city]?
| I'm looking for a hotel in [city] for a work trip. | We're planning a few days in [city] and need a room.
* CALL_REASON NEW_BOOKING
* HOTEL [city]
< Of course. What date would you like to arrive? | I can help with that. Which day would you be arriving?
> give_date: On [date], please. | We'd be getting there on [date]. | [date], if you have it.
< [ok]. And how many nights would you like to stay? | [date], got it. How many nights, and for how many guests?
> give_nights: [nights] nights, for [guests] of us. | Just the [nights] nights. There'll be [guests] of us.
* NIGHTS [nights]
< For those dates I have a [room] at [rate] a night, breakfast included. Shall I book it for you?
< I can offer you a [room] at [rate] a night. Would you like me to book that one?
> confirm: Yes, that sounds good. | Yes please, that would be lovely. | That's fine, go ahead.
< [ok]. What name should I put the booking under? | Could I take the full name of the main guest?
> give_name: It's [name]. | [name], please. | Put it under [name].
* BOOKING_REFERENCE [reference]
< Thank you, [first]. You're booked in [city] from [date], and your reference is [reference]. [else]",
        "
> book_room: Hello, do you have a suite in [city] on [date]? | I'm after a suite in [city], arriving on [date].
* CALL_REASON NEW_BOOKING
* ROOM_TYPE suite
< The suites are taken that day, I'm afraid. I do have a [room] at [rate] a night. Would that do instead?
> confirm: That would be fine, yes. | Oh well, yes, let's take that. | If that's all there is, then yes.
* ROOM_TYPE [room]
< [ok]. How many nights are you staying? | And for how many nights would you like it?
> give_nights: [nights] nights. | [nights] nights, then we fly home.
* NIGHTS [nights]
< [ok]. And what name should the booking be under? | Could I have your full name for the booking?
> give_name: [name]. | My name's [name].
* BOOKING_REFERENCE [reference]
< All booked, [first]. Your reference is [reference], and I've sent it to you by email as well. [else]",
        "
> change_booking: Hi, I need to move a booking I have with you. | My plans have changed, so I need other dates.
| I have a reservation in [city], but we can't make it that week.
* CALL_REASON CHANGE_BOOKING
< I can help with that. What's your booking reference? | No problem. Could you give me the 7-digit reference?
> give_reference: Yes, it's [reference]. | I have it here: [reference].
# [reference]
* BOOKING_REFERENCE [reference]
< Thanks. And the full name on the booking? | Found it. Can I check the name it's under?
> give_name: [name]. | It should be under [name].
* CUSTOMER_VERIFIED true
< Thank you, [first]. I have you in [city] for [nights] nights. What should the new arrival date be?
> give_date: Could we make it [date]? | [date] would suit us better.
* NEW_ARRIVAL_DATE [iso_date]
< [date] is free, at [rate] a night. Shall I change it? | I have a [room] from [date], at [rate]. Is that all right?
> confirm: Yes, go ahead. | That's fine, thanks. | Yes, please do.
< That's done, and a new confirmation is on its way by email. [else] | Your stay now starts on [date]. [else]",
    ],
    extras: "
> ask_parking: Is there anywhere to park? | One more thing. We're coming by car. Can we park there?
< There's a car park for guests, and it costs nothing overnight. [else]
> ask_loyalty: Do you have some kind of loyalty scheme? | One more thing. Do you do points?
< We do. Quillmere Circle is free to join, and each tenth night is on us. [else]
> ask_front_desk: Is there somebody at the front desk at night? | If I need the hotel late at night, is anyone there?
< Yes, all our front desks are open day and night. [else]",
    handoffs: "
> customer_requested: Could I speak to a real person, please? | Sorry, I'd rather talk to somebody about this.
! reservations_desk
< Of course. I'm passing you over to our reservations desk now. | No problem. A colleague will take over right now.
> complaint: To be honest, I also want to complain. Our last room with you was filthy.
| Before we go on, nobody has answered my complaint about our last stay.
! guest_relations
< I'm very sorry about that. I'm passing you over to our guest relations team now.
> payment_query: Before we go on, my card has been charged twice for my last stay.
! accounts
< That needs a closer look. I'm passing you over to our accounts team now.",
    spanish: "
> late_arrival: Hola, tengo una reserva y voy a llegar tarde. ~ Hello, I have a booking and I'm going to arrive late.
* CALL_REASON LATE_ARRIVAL
< Claro que sí. ¿Me dice su número de reserva? ~ Of course. Could you tell me your booking number?
> give_reference: Sí, es el [reference]. ~ Yes, it's [reference].
# [reference]
* BOOKING_REFERENCE [reference]
< Gracias. ¿A qué hora piensa llegar? ~ Thank you. What time do you expect to arrive?
> give_time: Sobre las [hour] de la noche. ~ Around [hour] at night.
* ARRIVAL_HOUR [hour]
< Perfecto, queda anotado. ¿Necesita algo más? ~ Perfect, I've made a note. Do you need anything else?",
};

static RETAIL: About = About {
    company: "Fennwick Goods",
    variants: &[
        Variant { id: "VARIANT-UK", name: "United Kingdom", american: false, number: "+447700900920" },
        Variant { id: "VARIANT-US", name: "United States", american: true, number: "+16465550120" },
    ],
    scripts: &[
        "
> track_order: Hi, where's my order? It was meant to be here by now. | I'm still waiting for a [item] I ordered.
| Hello, can you tell me when my parcel is coming?
* CALL_REASON TRACK_ORDER
< Let me look that up for you. What's the order number? | Sorry about the wait. Could I have your order number?
> give_order: It's [order]. | Order number [order]. | Let me find the email. Right, [order].
# [order]
* ORDER_NUMBER [order]
< Thank you. And what's the name on the order? | [ok]. Can I take your full name, so I know it's the right one?
> give_name: [name]. | It's [name]. | The name's [name].
* ORDER_STATUS [status]
< Thanks, [first]. Your [item] [whereabouts] and should be with you on [date]. Would you like a text when it's close?
> confirm: Yes, please. | That would help, yes. | Sure, why not.
* TEXT_UPDATES true
< All set. You'll get a text on the morning it arrives. [else] | [ok], I've switched text updates on. [else]",
        "
> return_item: I'd like to send something back, please. | Hello, can I return a [item] I bought?
| I ordered a [item] and I'm not keeping it.
* CALL_REASON RETURN
< Of course. What's the order number? It has 8 digits. | I can help with that. Could I have the order number?
> give_order: Yes, [order]. | It's [order].
# [order]
* ORDER_NUMBER [order]
< Thanks, I see the [item]. Why would you like to send it back? | Found it. May I ask what's wrong with the [item]?
> give_reason: It's [fault]. | To be honest, it's [fault]. | Nothing dramatic. It's just [fault].
* RETURN_REASON [fault]
< I'm sorry about that. Would you like a refund or an exchange? | I see. Shall we exchange it, or refund it?
> choose_refund: A refund, please. | Just the money back, thanks.
* REFUND_AMOUNT [amount]
< You'll have [amount] back within 5 days of the parcel reaching us. Shall I email you the label?
> confirm: Yes, please. | Yes, that's easiest.
< Sent. The label works at any post office. [else] | It's in your inbox now. [else]",
        "
> change_delivery: Can I change the day my parcel comes? | I won't be in for my delivery. Can it be moved?
* CALL_REASON CHANGE_DELIVERY
< I can look into that. What's the order number? | Certainly. Could you give me the 8-digit order number?
> give_order: It's [order]. | That would be [order].
# [order]
* ORDER_NUMBER [order]
< That's the [item], I see. Which day would suit you better? | Thank you. What day should we bring the [item]?
> give_date: [date] would be better. | Could they come on [date]?
* DELIVERY_DATE [iso_date]
< [date] works. Would you like morning, afternoon or evening? | [ok]. And what time of day is best for you?
> give_slot: In the [slot], please. | The [slot] is best.
* DELIVERY_SLOT [slot]
< Done. The courier will come on [date], in the [slot]. [else] | [ok], it's moved to [date], in the [slot]. [else]",
    ],
    extras: "
> ask_gift_card: Yes, do you sell gift cards? | Actually, yes. Can I get a gift card from you?
< We do, for any sum you like, and they never run out. You'll find them on our website. [else]
> ask_hours: When are your shops open? | Are your shops open on Sundays?
< All our shops are open from 9 to 6, and from 11 to 5 on Sundays. [else]
> ask_newsletter: Can you take me off the newsletter? | One thing. You send me too many emails.
< I've taken you off the list. You'll only hear from us about your orders. [else]",
    handoffs: "
> customer_requested: Can I talk to a person about this? | I'd like to speak to one of your colleagues, please.
! customer_care
< Of course. I'm passing you over to customer care now. | I understand. A colleague will take over right now.
> damaged_item: And there's another thing. My last parcel arrived smashed to bits.
| Hold on, I should say that half of the order came broken.
! claims_team
< I'm so sorry. I'm passing you over to our claims team now, who can put that right.
> payment_query: Wait, I can see that I've been charged twice for this. | My bank says you took the money twice.
! payments_team
< Let's get that sorted first. I'm passing you over to our payments team now.",
    spanish: "
> track_order: Hola, quería saber dónde está mi pedido. ~ Hello, I wanted to know where my order is.
* CALL_REASON TRACK_ORDER
< Con mucho gusto. ¿Cuál es el número de pedido? ~ Gladly. What is the order number?
> give_order: Es el [order]. ~ It's [order].
# [order]
* ORDER_NUMBER [order]
< Gracias. ¿A nombre de quién está? ~ Thank you. What name is it under?
> give_name: Está a nombre de [name]. ~ It's in the name of [name].
* ORDER_STATUS IN_TRANSIT
< Ya está de camino y llega mañana. ¿Algo más? ~ It's on its way and arrives tomorrow. Anything else?",
};

static UTILITY: About = About {
    company: "Ostrel Energy",
    variants: &[
        Variant { id: "VARIANT-HOME", name: "Home customers", american: false, number: "+447700900930" },
        Variant { id: "VARIANT-BUSINESS", name: "Business customers", american: false, number: "+447700900931" },
    ],
    scripts: &[
        "
> submit_reading: I'd like to give you a meter reading. | Hi, I got a letter asking for my meter reading.
* CALL_REASON METER_READING
< Thank you. What's your 9-digit account number? | I can take that. Could I have your account number first?
> give_account: It's [account]. | Yes, [account].
# [account]
* ACCOUNT_FOUND true
< Thanks. Please read me the 5 digits on the meter, from left to right. | [ok]. What are the 5 digits on the meter?
> give_reading: It says [first_reading]. | I make it [first_reading].
# [first_reading]
* METER_READING [first_reading]
< That's lower than your last reading. Could you check the first digit, and give me all 5 again?
> give_reading: Oh, you're right. It's [reading]. | Sorry, I misread it. It's [reading].
* METER_READING [reading]
< That fits, thank you. Your next bill will be based on [reading]. [else]",
        "
> explain_bill: My bill's gone up and I don't understand why. | Hello, I have a question about my last bill.
| I've just opened my bill and it can't be right.
* CALL_REASON BILL_QUERY
< Let me have a look. What's your account number? | I can go through it with you. Could I have the account number?
> give_account: [account]. | The account number is [account].
# [account]
* BILL_AMOUNT [amount]
< Thanks. And who am I speaking to? | Got it. What's the full name on the account?
> give_name: [name]. | This is [name].
* CUSTOMER_VERIFIED true
< Your last bill was [amount], [first], and part of it was estimated. What does your meter say today?
> give_reading: I've got it here. It's [reading]. | Give me a second. It says [reading].
* METER_READING [reading]
< Thank you. That brings your bill down to [lower]. You'll have the corrected one within 5 days. [else]",
        "
> make_payment: I'd like to pay my bill, please. | Hi, can I pay what I owe on my account?
* CALL_REASON PAYMENT
< Certainly. What's your 9-digit account number? | Of course. Could you give me your account number?
> give_account: It's [account]. | Sure, [account].
# [account]
* ACCOUNT_FOUND true
< You have [amount] to pay by [date]. Would you like to pay all of it now? | Thanks. Shall I take the full [amount]?
> confirm: Yes, all of it, please. | Yes, let's get it done.
< [ok]. Shall I use the card ending in [card]? | I have a card on file ending in [card]. Is that the one?
> confirm_card: Yes, that one. | Yes, ending in [card]. | That's the right card, yes.
* PAYMENT_AMOUNT [amount]
* PAYMENT_RESULT SUCCESS
< Your payment of [amount] has gone through, thank you. [else] | That's paid. A receipt is on its way. [else]",
    ],
    extras: "
> ask_paperless: Yes, can I stop getting paper bills? | Could you send my bills by email from now on?
< That's done. From next month your bills come by email. [else]
> ask_smart_meter: How do I get a smart meter? | Actually, yes. Can I have one of those smart meters?
< We fit them free of charge. I've put you on the list, and an engineer will be in touch. [else]
> ask_hours: Is there anybody there at weekends? | When can I reach a person if I need one?
< Our team is here from 8 to 8, Monday to Saturday. I'm here at all hours. [else]",
    handoffs: "
> customer_requested: I'd like to speak to somebody, please. | Can you just put me on to a person?
! billing_team
< Of course. I'm passing you over to our billing team now. | I understand. A colleague will take over right now.
> financial_hardship: I'll be honest, I can't afford my bills just now. | Look, I'm behind with it all and I'm worried.
! support_team
< Thank you for telling me. We can help with that, and I'm passing you over to our support team now.
> gas_smell: Hang on, I think I can smell gas in the hallway.
! gas_emergency_line
< Please touch no switches, open a window and go outside. I'm passing you over to the emergency line now.",
    spanish: "
> make_payment: Hola, quiero pagar mi factura. ~ Hello, I want to pay my bill.
* CALL_REASON PAYMENT
< Muy bien. ¿Cuál es su número de cuenta? ~ Very good. What is your account number?
> give_account: Es el [account]. ~ It's [account].
# [account]
* ACCOUNT_FOUND true
< Gracias. Debe [amount]. ¿Quiere pagarlo todo ahora? ~ Thank you. You owe [amount]. Do you want to pay it all now?
> confirm: Sí, todo, por favor. ~ Yes, all of it, please.
* PAYMENT_AMOUNT [amount]
* PAYMENT_RESULT SUCCESS
< Listo, ya está pagado. ¿Le ayudo con algo más? ~ Done, that's paid. Can I help you with anything else?",
};

const GOODBYE: &str = "
> goodbye: No, that's everything, thanks. | No, that's all. Thank you very much. | That's it. Thanks for your help.
< Thank you for [calling] [company]. Goodbye! | You're welcome. Have a good day, and goodbye.
< Glad I could help. Thanks for [calling] [company], and goodbye.";
const BROKEN_OFF: &str = "
> leave: Sorry, somebody's at the door. I'll try again later. | I have to go, I'm afraid. I'll do this another time.
< No problem at all. We're here whenever it suits you. Goodbye! | That's fine. Thanks for [calling], and goodbye.";
const SPANISH_GOODBYE: &str = "
> goodbye: No, eso es todo. Muchas gracias. ~ No, that's all. Thank you very much.
< Gracias a usted. ¡Que tenga un buen día, adiós! ~ Thank you. Have a good day, goodbye!";
const SPANISH_BROKEN_OFF: &str = "
> leave: Perdone, tengo que irme. Lo intento más tarde. ~ Sorry, I have to go. I'll try later.
< No se preocupe. Aquí estamos a cualquier hora. ¡Adiós! ~ Don't worry. We're here at any hour. Goodbye!";
const SPANISH_HANDOFF: &str = "
> customer_requested: ¿Puedo hablar con una persona? ~ Can I speak to a person?
! spanish_speaking_team
< Claro. Le paso ahora con un compañero. ~ Of course. I'm passing you over to a colleague now.";

const GREETINGS: &[&str] = &[
    "Hello, thank you for [calling] [company]. How can I help you today?",
    "Thanks for [calling] [company]. What can I do for you?",
    "Welcome to [company]. I'm the virtual assistant. How can I help?",
    "Hi, this is [company]. Just tell me in a few words what you need.",
];
const AGREED: &[&str] = &["Great", "Thank you", "Got it", "Perfect", "All right", "Very good"];
const ANYTHING_ELSE: &[&str] = &[
    "Is there anything else I can help you with?",
    "Can I help with anything else?",
    "Is there anything else you need today?",
];
const NOT_HEARD: &[&str] =
    &["Sorry, I didn't hear anything.", "Are you still there?", "I couldn't hear you just then, sorry."];
const NOT_UNDERSTOOD: &[&str] =
    &["Sorry, I didn't quite follow.", "I'm not sure I understood that.", "I didn't catch that, sorry."];
const OUT_OF_DOMAIN: &[&str] = &[
    "Sorry, hang on, the dog's just got out.",
    "What's the weather going to be like tomorrow?",
    "No, not that one, put it on the other shelf.",
    "Do you know a good plumber?",
    "Hm, I don't know, what did she say?",
    "The blue thing with the, you know, the other part.",
];
const FIRST_NAMES: &[&str] = &[
    "Amara", "Tomasz", "Priya", "Callum", "Ines", "Kwame", "Hana", "Diego", "Freya", "Yusuf", "Mei", "Luca", "Noor",
    "Siobhan", "Anders", "Leilani", "Tariq", "Beatriz", "Owen", "Chidinma", "Ravi", "Zofia", "Marisol", "Jonah",
];
const LAST_NAMES: &[&str] = &[
    "Okafor", "Nowak", "Raman", "Fraser", "Duarte", "Mensah", "Sato", "Herrera", "Lindahl", "Demir", "Chen", "Moretti",
    "Haddad", "Byrne", "Falk", "Kealoha", "Aziz", "Pires", "Whitlow", "Eze", "Banerjee", "Kowal",
];
const AREA_CODES: &[&str] = &["212", "312", "415", "503", "617", "713"];
const UK_CITIES: &[&str] = &["Leeds", "Bristol", "Edinburgh", "York", "Brighton", "Cardiff", "Liverpool"];
const US_CITIES: &[&str] = &["Chicago", "Portland", "Savannah", "San Diego", "Boston", "Denver", "Austin"];
const ROOMS: &[&str] = &["double room", "twin room", "family room", "king room", "garden-view double"];
const ITEMS: &[&str] = &["linen jacket", "desk lamp", "raincoat", "teapot", "wool blanket", "backpack", "mirror"];
const FAULTS: &[&str] =
    &["smaller than I thought", "not the shade I expected", "not like the picture", "a bit too big"];
const STATUSES: &[(&str, &str)] = &[
    ("PACKING", "is being packed"),
    ("IN_TRANSIT", "is with the courier"),
    ("DELAYED", "was held up on the way"),
    ("AWAITING_DISPATCH", "leaves our warehouse tonight"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::parse_instant;
    use crate::conversations::document::Document;
    use std::collections::HashSet;

    const NOW: Timestamp = Timestamp(4_928_395_325_250_000);
    const TOPICS: [Topic; 3] = [Topic::HotelReservations, Topic::RetailOrders, Topic::UtilityBilling];

    fn all() -> Vec<Value> {
        TOPICS.into_iter().flat_map(|topic| generate(topic, 7, 500, NOW)).collect()
    }

    fn instant(value: &Value) -> Timestamp {
        parse_instant(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_seed_always_gives_the_same() {
        for topic in TOPICS {
            assert_eq!(generate(topic, 1, 40, NOW), generate(topic, 1, 40, NOW));
            assert_ne!(generate(topic, 1, 40, NOW), generate(topic, 2, 40, NOW));
            assert_eq!(generate(topic, 1, 0, NOW), Vec::<Value>::new());
        }
    }

    #[test]
    fn each_is_accepted_under_an_id_of_its_own() {
        let mut ids = HashSet::new();
        for value in all() {
            let document = Document::parse(value.to_string().as_bytes()).unwrap();
            assert!(document.id.len() == 34 && document.id.starts_with("CA"), "{}", document.id);
            assert!(ids.insert(document.id), "{value}");
        }
    }

    #[test]
    fn metrics_agree_with_their_twins() {
        let all = all();
        for value in &all {
            let metrics = &value["metrics"];
            for (metric, twin) in [("HANDOFF_REASON", "handoff_reason"), ("HANDOFF_TO", "handoff_destination")] {
                assert_eq!(metrics[metric].as_str().unwrap_or_default(), value[twin].as_str().unwrap());
                assert_eq!(metrics.get(metric).is_some(), value["handoff"].as_bool().unwrap());
            }
            assert_eq!(metrics.get("CALL_IN_PROGRESS").is_some(), value["in_progress"].as_bool().unwrap());
            assert_eq!(metrics.get("CALL_COMPLETED").is_some(), value.get("total_duration").is_some());
            assert!(value["polyai_duration"].as_i64() <= value["total_duration"].as_i64(), "{value}");
        }
        let count = |test: fn(&Value) -> bool| all.iter().filter(|value| test(value)).count();
        assert_eq!(count(|value| value["in_progress"] == true), 15);
        assert!((200..400).contains(&count(|value| value["handoff"] == true)));
        assert!(count(|value| value["metrics"]["METER_READING"].is_array()) > 0);
        assert!(count(|value| value["state"]["language"] == "es") > 0);
    }

    #[test]
    fn started_within_sixty_days_and_told_in_order() {
        for value in all() {
            let mut last = instant(&value["started_at"]);
            assert!(last >= NOW.plus_days(-60) && last < NOW, "{value}");
            let turns = value["turns"].as_array().unwrap();
            assert!((3..=14).contains(&turns.len()), "{value}");
            assert_eq!(turns[0]["user_input"], "");
            for turn in turns {
                let (heard, answered) =
                    (instant(&turn["user_input_datetime"]), instant(&turn["agent_response_datetime"]));
                assert!(last < heard && heard < answered && answered < NOW, "{value}");
                assert!((0.4..=2.2).contains(&turn["latency"].as_f64().unwrap()), "{turn}");
                let said =
                    format!("{}{}{}", turn["user_input"], turn["agent_response"], turn["english_agent_response"]);
                assert!(!said.contains(['[', ']', '|', '~']), "{said}");
                assert_ne!(turn["agent_response"], "");
                last = answered;
            }
            let flagged = |flag: &str| turns.iter().filter(|turn| turn[flag] == true).count();
            assert_eq!(value["num_silences"], flagged("is_silence"));
            assert_eq!(value["num_ood"], flagged("is_ood"));
        }
    }
}

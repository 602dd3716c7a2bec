"use strict";
// Text of conversations reaches the page only through textContent, which never makes HTML of it.

const facts = JSON.parse(document.getElementById("facts").textContent);
const PUSHBACK = "pushback_reasons";
const MOODS = ["mood_start", "mood_end"];
const NONE = "none";
const drafts = new Map(); // Labels that were given but not saved, by place.

let language = (navigator.languages?.[0] ?? navigator.language).toLowerCase().startsWith("zh") ? "zh" : "en";
let item = null; // The conversation that is shown; null when there is none left.
let pairs = null; // The readers' agreement, once all is labelled.
let progress = { done: 0, total: 0 };
let answer = null;
let active = "use";
let fault = "";
let isBusy = false;

const definitions = () => facts.definitions[language];

function say(key, values = {}) {
  const text = facts.interface[language][key];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function signed(number) {
  return `${number > 0 ? "+" : ""}${number}`.replace("-", "−");
}

// ---- Labels

function emptyAnswer() {
  return { use: null, types: [], opening_type: null, closing_type: null, pushback_reasons: [], moods: [[], []] };
}

function answerOf(own) {
  const count = facts.moods_per_end;
  return {
    ...own,
    types: [...own.types],
    pushback_reasons: [...own.pushback_reasons],
    moods: [own.moods.slice(0, count), own.moods.slice(count)],
  };
}

const isAffective = (type) => facts.affective_types.includes(type);
const isTooShort = (type) =>
  facts.roleplay_types.includes(type) && item.human_messages < facts.min_roleplay_human_messages;

function questions() {
  const asked = ["use", "types"];
  if (answer.types.length) asked.push("opening_type", "closing_type");
  asked.push(PUSHBACK);
  if (item.human_messages >= facts.min_mood_human_messages) asked.push(...MOODS);
  return asked;
}

/** The options of a question, each with its key. */
function options(question) {
  const texts = definitions();
  const numbered = (group) => group.map((each, i) => ({ ...each, key: String(i + 1) }));
  const zero = (title) => ({ name: NONE, title, text: "", key: "0" });
  if (question === "use") return numbered(texts.uses);
  if (question === "types") return [zero(say("no_types")), ...numbered(texts.types)];
  if (question === PUSHBACK) return [zero(say("no_pushback")), ...numbered(texts.reasons)];
  if (MOODS.includes(question)) {
    return texts.mood_steps.map(([step, word], i) => ({ name: step, title: `${word} (${signed(step)})`, text: "", key: String(i + 1) }));
  }
  return [zero(texts.none.title), ...numbered(texts.types.map((each) => ({ ...each, text: "" })))];
}

function about(question) {
  const texts = definitions();
  return {
    use: texts.affective.text,
    types: texts.affective.text,
    opening_type: texts.opening.text,
    closing_type: texts.closing.text,
    [PUSHBACK]: texts.pushback.text,
    mood_start: texts.mood.text,
    mood_end: texts.mood.text,
  }[question];
}

function isChosen(question, name) {
  if (MOODS.includes(question)) return false; // Its slots show what was chosen.
  const given = answer[question];
  if (!Array.isArray(given)) return given === name;
  return name === NONE ? given.length === 0 : given.includes(name);
}

function choose(question, name) {
  fault = "";
  if (question === "use") {
    answer.use = name;
    if (name !== facts.affective_use) answer.types = answer.types.filter((type) => !isAffective(type));
  } else if (MOODS.includes(question)) {
    const slots = answer.moods[MOODS.indexOf(question)];
    if (slots.length === facts.moods_per_end) slots.length = 0;
    slots.push(name);
    if (slots.length < facts.moods_per_end) return;
  } else if (Array.isArray(answer[question])) {
    if (isTooShort(name) && question === "types") {
      fault = say("too_short", { count: facts.min_roleplay_human_messages });
      return;
    }
    toggle(answer[question], name);
    if (question === "types" && answer.types.some(isAffective)) answer.use = facts.affective_use;
    return;
  } else {
    answer[question] = name;
  }
  move(1);
}

function toggle(names, name) {
  if (name === NONE) names.length = 0;
  else if (names.includes(name)) names.splice(names.indexOf(name), 1);
  else names.push(name);
}

function move(steps) {
  const asked = questions();
  const place = Math.max(0, asked.indexOf(active)) + steps;
  active = asked[Math.min(Math.max(place, 0), asked.length - 1)];
}

/** Returns what is missing, as the first question to ask and a sentence; null if nothing is. */
function missing() {
  const given = answer.moods.map((slots) => slots.length);
  if (!answer.use) return ["use", say("need_use")];
  if (answer.use === facts.affective_use && !answer.types.some(isAffective)) return ["types", say("need_type")];
  if (answer.types.length && answer.opening_type === null) return ["opening_type", say("need_ends")];
  if (answer.types.length && answer.closing_type === null) return ["closing_type", say("need_ends")];
  if (given.some(Boolean) && !given.every((count) => count === facts.moods_per_end)) {
    return [MOODS[given[0] === facts.moods_per_end ? 1 : 0], say("need_moods")];
  }
  return null;
}

function toSend() {
  const hasTypes = answer.types.length > 0;
  return {
    use: answer.use,
    types: answer.types,
    opening_type: hasTypes ? answer.opening_type : NONE,
    closing_type: hasTypes ? answer.closing_type : NONE,
    pushback_reasons: answer.pushback_reasons,
    moods: answer.moods.flat(),
  };
}

// ---- The server

async function ask(path, init) {
  try {
    const response = await fetch(path, { cache: "no-store", ...init });
    return { isFine: response.ok, content: await response.json() };
  } catch {
    return null;
  }
}

/** Runs one request at a time, so that a key that is held down saves only once. */
async function alone(work) {
  if (isBusy) return;
  isBusy = true;
  try {
    await work();
  } finally {
    isBusy = false;
  }
  render();
}

async function load(path) {
  const found = await ask(path);
  if (!found?.isFine) {
    fault = say("stopped");
    return;
  }
  keepDraft();
  progress = found.content.progress;
  fault = "";
  if (found.content.turns) {
    show(found.content);
  } else {
    item = null;
    await loadAgreement();
  }
}

async function loadAgreement() {
  const found = await ask("agreement");
  pairs = found?.isFine ? found.content : [];
  if (found && !found.isFine) fault = found.content.fault;
}

function keepDraft() {
  if (item) drafts.set(item.place, answer);
}

function show(shown) {
  item = shown;
  answer = drafts.get(item.place) ?? (item.own ? answerOf(item.own) : emptyAnswer());
  active = "use";
  renderConversation();
}

async function save() {
  if (!item) return;
  const lacking = missing();
  if (lacking) {
    [active, fault] = lacking;
    return;
  }
  const { place } = item;
  const saved = await ask("save", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ place, answer: toSend() }),
  });
  if (!saved?.isFine) {
    fault = saved?.content.fault ?? say("failed");
    return;
  }
  progress = saved.content.progress;
  drafts.delete(place);
  item = null;
  await load(`next?after=${place}`);
}

function turnTo(place) {
  if (place >= 0 && place < progress.total) alone(() => load(`item?place=${place}`));
}

// ---- What is shown

function render() {
  const focused = document.activeElement?.dataset?.focus;
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  document.title = `${say("title")} – Undertone`;
  document.body.classList.toggle("finished", !item);
  put("language", say("language"));
  put("progress", `${say("progress", progress)} · ${say("reader")}: ${facts.reader}`);
  const share = progress.total ? progress.done / progress.total : 0;
  document.getElementById("bar").setAttribute("width", `${100 * share}%`);
  put("where", item ? `${say("conversation", { place: item.place + 1, total: progress.total })} · ${say("messages", { count: item.human_messages })}` : "");
  put("fault", fault);
  if (item) renderForm();
  else renderFinished();
  if (focused) document.querySelector(`[data-focus="${focused}"]`)?.focus();
}

function put(id, text) {
  document.getElementById(id).textContent = text;
}

function renderConversation() {
  const place = document.getElementById("conversation");
  const count = facts.moods_per_end;
  const turns = [];
  let human = 0;
  if (item.own) turns.push(element("p", "notice", say("labelled")));
  for (const turn of item.turns) {
    const heading = element("h3", "", say(turn.is_human ? "human" : "assistant"));
    if (turn.is_human) {
      if (human < count) heading.append(element("span", "", say("first")));
      if (human >= item.human_messages - count) heading.append(element("span", "", say("last")));
      human += 1;
    }
    const text = element("div", "text", turn.text);
    text.dir = "auto";
    turns.push(element("article", turn.is_human ? "turn human" : "turn assistant", heading, text));
  }
  place.replaceChildren(...turns);
  place.scrollTop = 0;
}

function renderForm() {
  const place = document.getElementById("questions");
  place.replaceChildren(...questions().map(renderQuestion));
  document.getElementById("save").replaceChildren(say("save"), element("kbd", "", "Enter"));
  renderHelp();
}

function renderQuestion(question) {
  const name = element("button", "name", element("span", "", say(question)), renderAnswer(question));
  name.type = "button";
  name.dataset.focus = question;
  name.setAttribute("aria-expanded", String(question === active));
  name.onclick = () => { active = question; render(); };
  const body = element("div", "body");
  if (question === active) {
    if (about(question)) body.append(element("p", "about", about(question)));
    if (MOODS.includes(question)) body.append(renderSlots(question));
    const isMultiple = question === "types" || question === PUSHBACK;
    const group = element("div", "", ...options(question).map((option) => renderOption(question, option, isMultiple)));
    group.setAttribute("role", isMultiple || MOODS.includes(question) ? "group" : "radiogroup");
    group.setAttribute("aria-label", say(question));
    body.append(group);
  }
  return element("div", question === active ? "question active" : "question", name, body);
}

function renderOption(question, option, isMultiple) {
  const made = element("button", "option", element("kbd", "", option.key), element("b", "", option.title));
  if (option.text) made.append(element("small", "", option.text));
  made.type = "button";
  made.dataset.focus = `${question} ${option.key}`;
  if (!MOODS.includes(question)) {
    made.setAttribute("role", isMultiple ? "checkbox" : "radio");
    made.setAttribute("aria-checked", String(isChosen(question, option.name)));
  }
  made.disabled = question === "types" && isTooShort(option.name);
  made.onclick = () => { choose(question, option.name); render(); };
  return made;
}

function renderSlots(question) {
  const given = answer.moods[MOODS.indexOf(question)];
  const words = new Map(definitions().mood_steps);
  const slots = Array.from({ length: facts.moods_per_end }, (_, i) =>
    element("div", i < given.length ? "slot given" : "slot", `${i + 1}. ${i < given.length ? words.get(given[i]) : "…"}`));
  return element("div", "slots", ...slots);
}

function renderAnswer(question) {
  const [text, isGiven] = answerText(question);
  return element("span", isGiven ? "answer" : "answer open", text);
}

function answerText(question) {
  if (MOODS.includes(question)) {
    const given = answer.moods[MOODS.indexOf(question)];
    if (!given.length) return [say("unanswered"), false];
    const mean = given.reduce((sum, step) => sum + step, 0) / given.length;
    return [`${signed(mean.toFixed(2))} (${given.length}/${facts.moods_per_end})`, true];
  }
  const chosen = options(question).filter((option) => isChosen(question, option.name));
  const title = chosen.map((option) => option.title).join(language === "zh" ? "、" : ", ");
  const isGiven = chosen.some((option) => option.name !== NONE) || answer[question] === NONE;
  return [title || say("unanswered"), isGiven];
}

function renderHelp() {
  const keys = [
    [["0", "…", "9"], "key_digits"], [["↑", "↓"], "key_updown"], [["Enter"], "key_enter"],
    [["←", "→"], "key_leftright"], [["Space", "⇧ Space"], "key_page"], [["⌫"], "key_back"], [["L"], "key_language"],
  ];
  const list = element("dl", "");
  for (const [names, key] of keys) {
    list.append(element("dt", "", ...names.map((name) => element("kbd", "", name))), element("dd", "", say(key)));
  }
  document.getElementById("help").replaceChildren(
    element("div", "", element("h2", "", say("rules")), element("ul", "", ...definitions().rules.map((rule) => element("li", "", rule)))),
    element("div", "", element("h2", "", say("keys")), list),
  );
}

function renderFinished() {
  const report = element("div", "report");
  if (fault) report.append(element("p", "fault", fault));
  if (pairs) {
    report.append(element("h1", "", say(progress.total ? "done" : "empty")));
    if (progress.total) report.append(element("p", "", say("done_text")));
    if (progress.total && !pairs.length) report.append(element("p", "", say("alone")));
    report.append(...pairs.flatMap(renderPair));
    if (pairs.length) report.append(element("p", "about", say("agreement_text")));
  }
  document.getElementById("conversation").replaceChildren(report);
}

function renderPair(pair) {
  const heading = element("h2", "", say("agreement", pair));
  if (!pair.questions.length) return [heading, element("p", "", say("nothing_shared"))];
  const head = element("thead", "", element("tr", "", ...["question", "kappa", "alike", "both"].map((key) => element("th", "", say(key)))));
  const rows = pair.questions.map((each) => element("tr", "",
    element("th", "", titleOf(each.question)),
    element("td", "", each.kappa === null ? "–" : each.kappa.toFixed(2)),
    element("td", "", String(each.agreed)),
    element("td", "", String(each.conversations)),
  ));
  return [heading, element("table", "", head, element("tbody", "", ...rows))];
}

function titleOf(question) {
  if (question === "affective") return definitions().affective.title;
  return definitions().types.find((type) => type.name === question)?.title ?? say(question);
}

// ---- Keys

function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  fault = "";
  if (item) renderConversation();
  render();
}

function scroll(direction) {
  const place = document.getElementById("conversation");
  place.scrollBy({ top: direction * 0.85 * place.clientHeight });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const onButton = document.activeElement?.tagName === "BUTTON";
  const place = item ? item.place : progress.total;
  const actions = {
    ArrowLeft: () => turnTo(place - 1),
    ArrowRight: () => turnTo(place + 1),
    l: switchLanguage,
    L: switchLanguage,
    PageDown: () => scroll(1),
    PageUp: () => scroll(-1),
    ...(onButton ? {} : { " ": () => scroll(event.shiftKey ? -1 : 1) }),
    ...(item && document.activeElement?.id !== "language" ? {
      Enter: () => { if (!event.repeat) alone(save); },
      ArrowDown: () => { move(1); render(); },
      ArrowUp: () => { move(-1); render(); },
      Backspace: () => {
        if (MOODS.includes(active)) answer.moods[MOODS.indexOf(active)].pop();
        render();
      },
    } : {}),
  };
  const option = item && options(active).find((each) => each.key === event.key);
  const action = option ? () => { choose(active, option.name); render(); } : actions[event.key];
  if (!action) return;
  event.preventDefault();
  if (!isBusy) action();
}

document.addEventListener("keydown", onKey);
document.getElementById("language").onclick = switchLanguage;
document.getElementById("form").onsubmit = (event) => {
  event.preventDefault();
  alone(save);
};
alone(() => load("next"));

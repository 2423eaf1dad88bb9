// What is shown: one district over one period, told by the server whenever it changes. Choices stand in the address.
import { $, asked, choice, chooser, key, nameOf, offer, putPlace, putWords, remember } from "/static/choices.js";
import { Format, pretty } from "/static/format.js";
import { bars, make, range, replaceRows } from "/static/draw.js";

const WINDOWS = ["1h", "24h", "7d", "28d"];
const SOON_MS = 60 * 60_000, CLOCK_TICK_MS = 10_000, SILENT_MS = 40_000, AGAIN_MS = 2_000;

choice.window = WINDOWS.includes(asked.get("window")) ? asked.get("window") : "24h";
let numbers = null, state = { state: "connecting", as_of: null }, format = new Format(choice.language, "UTC");
let stream = null, heardAt = 0;

// -- what the server tells ------------------------------------------------------------------------------------------
function listen() {
  stream?.close();
  heardAt = Date.now();
  stream = new EventSource(`/live?${new URLSearchParams({ district: choice.district, window: choice.window })}`);
  stream.addEventListener("numbers", (event) => { heardAt = Date.now(); numbers = JSON.parse(event.data); show(); });
  stream.addEventListener("state", (event) => { heardAt = Date.now(); state = JSON.parse(event.data); showState(); });
  stream.addEventListener("error", () => {
    state = { ...state, state: "lost" };
    showState();
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  });
}

// -- what people choose ---------------------------------------------------------------------------------------------
function choose(changes) {
  remember(changes);
  if ("district" in changes || "window" in changes) listen();
  show();
}

// -- what is shown --------------------------------------------------------------------------------------------------
function show() {
  format = new Format(choice.language, numbers?.zone ?? "UTC");
  putWords(format);
  showState();
  if (!numbers) return;
  const cells = numbers.cells, whole = cells.find((cell) => cell.scope === "district");
  const chosen = cells.find((cell) => key(cell) === choice.cell) ?? whole;
  showPlaces(cells, chosen);
  showCards(chosen, chosen === whole);
  showWaiting(chosen);
  showTable($("schools"), cells.filter((cell) => cell.scope === "school"), chosen);
  showTable($("departments"), cells.filter((cell) => cell.scope === "department"), chosen);
}

const named = (cell) => nameOf(cell, numbers.district);

function showState() {
  $("state").dataset.state = state.state;
  const name = format.say(state.state);
  if ($("state-name").textContent !== name) $("state-name").textContent = name;
  $("as-of").textContent = state.as_of === null ? "" : format.say("as-of", { time: format.time(state.as_of) });
}

function showPlaces(cells, chosen) {
  const option = (cell) => make("option", { value: key(cell) }, named(cell));
  const byName = (a, b) => named(a).localeCompare(named(b), choice.language);
  const group = (scope, word) => make("optgroup", { label: format.say(word) }, ...cells.filter((cell) => cell.scope === scope).sort(byName).map(option));
  const made = make("select", {}, make("option", { value: "" }, format.say("whole")), group("school", "schools"), group("department", "departments"));
  if ($("cell").innerHTML !== made.innerHTML) $("cell").replaceChildren(...made.childNodes);
  $("cell").value = chosen ? key(chosen) : "";
  const district = chosen?.district_name === numbers.district ? pretty(numbers.district) : chosen?.district_name ?? pretty(numbers.district);
  const place = chosen && chosen.scope !== "district" ? `${named(chosen)}, ${district}` : district;
  putPlace(place);
}

function showCards(cell, isWhole) {
  const period = format.say(`in-${numbers.window}`), clock = choice.clock === "business" ? "_business" : "";
  const time = (what) => format.duration(cell?.[`${what}_p50${clock}_ms`] ?? null);
  const promised = cell?.promised_share ?? null;
  const kept = (share) => {
    if (share === null || share === undefined) return format.say("kept-none");
    return format.say(promised === null ? "kept" : "kept-of", { share: format.share(share), promised: format.share(promised) });
  };
  $("people").textContent = format.count(cell?.stakeholders ?? 0);
  $("people-meaning").textContent = cell
    ? format.say("people-meaning", { window: period, contacts: format.count(cell.contacts), messages: format.count(cell.messages) })
    : format.say("empty");
  $("response").textContent = time("response");
  $("resolution").textContent = time("resolution");
  $("response-kept").textContent = kept(cell?.response_compliance);
  $("resolution-kept").textContent = kept(cell?.resolution_compliance);
  $("times-meaning").textContent = format.say("times-meaning", { window: period, clock: format.say(`clock-${choice.clock}`) });
  showScore(cell);
  $("days").replaceChildren(...(isWhole ? daysOf(numbers.days) : []));
}

function showScore(cell) {
  const known = cell && cell.score !== null;
  $("score").textContent = known ? format.points(cell.score) : format.say("none");
  if (!known) {
    const reason = format.say(cell && cell.ratings ? "few-ratings" : "no-ratings");
    $("score-meaning").textContent = format.say("score-none", { reason });
    $("score-range").replaceChildren();
    return;
  }
  const told = { score: format.points(cell.score), low: format.points(cell.score_low), high: format.points(cell.score_high) };
  $("score-meaning").textContent = format.say("score-meaning", told);
  $("score-range").replaceChildren(range(cell.score_low, cell.score, cell.score_high, format.say("score-range", told)));
}

function daysOf(days) {
  const counts = days.map((day) => day.contacts);
  const label = format.say("days-label", { today: format.count(counts.at(-1)), most: format.count(Math.max(...counts)) });
  const open = document.querySelector("#days details")?.open;
  const table = make("table");
  replaceRows(table, label, [head("day"), head("questions")], days.toReversed().map((day) => make("tr", {}, rowHead(format.day(day.day)), cellOf(format.count(day.contacts)))));
  const details = make("details", {}, make("summary", {}, format.say("days-table")), table);
  details.open = Boolean(open);
  return [bars(counts, label), details];
}

const head = (word, kind = null) => make("th", { scope: "col", class: kind }, format.say(word));
const rowHead = (text) => make("th", { scope: "row" }, text);
const cellOf = (text, kind = null) => make("td", { class: kind }, text);

function showWaiting(chosen) {
  const isWhole = !chosen || chosen.scope === "district";
  const here = numbers.waiting.filter((each) => isWhole || each[chosen.scope] === chosen[chosen.scope]);
  $("waiting-meaning").textContent = waitingMeaning(here.length, isWhole);
  const now = Date.now();
  const rows = here.slice(0, 20).map((each) =>
    make("tr", {},
      rowHead(format.duration(now - each.waiting_since)),
      cellOf(...dueOf(each, now)),
      cellOf(format.say(each.priority in format.words ? each.priority : "none"), "text"),
      cellOf(each.topic ? pretty(each.topic) : format.say("none"), "text"),
      cellOf([each.school, each.department].filter(Boolean).map(pretty).join(", ") || format.say("whole"), "text"),
      cellOf(each.subject, "text"),
    ));
  replaceRows($("waiting"), "", rows.length ? [head("since"), head("due", "text"), head("priority", "text"), head("topic", "text"), head("where", "text"), head("case", "text")] : [], rows);
}

// Only those who wait longest in the district are told one by one: of a school there may be more.
function waitingMeaning(here, isWhole) {
  const listed = numbers.waiting.length, count = isWhole ? numbers.waiting_count : here;
  if (!isWhole && listed < numbers.waiting_count) return format.say("waiting-listed", { count: format.count(here), listed: format.count(listed) });
  return count ? format.say("waiting-some", { count: format.count(count) }) : format.say("waiting-none");
}

function dueOf({ due_at: due, follow_up: followUp }, now) {
  if (due === null) return [format.say(followUp ? "follow-up" : "no-promise"), "text"];
  if (due <= now) return [format.say("overdue", { time: format.time(due) }), "text late"];
  return [format.say("due-soon", { time: format.time(due) }), due - now < SOON_MS ? "text soon" : "text"];
}

function showTable(table, cells, chosen) {
  const clock = choice.clock === "business" ? "_business" : "";
  const heads = [head("place"), head("people-short"), head("questions"), head("response"), head("in-time"), head("resolution"), head("in-time"), head("ratings"), head("content"), head("score")];
  const rows = cells.map((cell) => {
    const score = cell.score === null ? format.say("none") : format.say("score-cell", { score: format.points(cell.score), low: format.points(cell.score_low), high: format.points(cell.score_high) });
    return make("tr", { class: cell === chosen ? "chosen" : null },
      rowHead(chooser(cell, named(cell), chosen, choose)), cellOf(format.count(cell.stakeholders)), cellOf(format.count(cell.contacts)),
      cellOf(format.duration(cell[`response_p50${clock}_ms`])), cellOf(format.share(cell.response_compliance)),
      cellOf(format.duration(cell[`resolution_p50${clock}_ms`])), cellOf(format.share(cell.resolution_compliance)),
      cellOf(format.count(cell.ratings)), cellOf(format.share(cell.csat)), cellOf(score));
  });
  replaceRows(table, `${format.say(`in-${numbers.window}`)}, ${format.say(`clock-${choice.clock}`)}`, heads, rows);
}

// -- begin ----------------------------------------------------------------------------------------------------------
async function begin() {
  offer(choose, [], { window: WINDOWS });
  show();
  await findDistricts();
  setInterval(tick, CLOCK_TICK_MS);
}

async function findDistricts() {
  try {
    const answer = await fetch("/districts");
    if (!answer.ok) return void tryAgain(answer.status === 503 ? "away" : "lost");
    const known = await answer.json();
    $("district").replaceChildren(...known.map((id) => make("option", { value: id }, pretty(id))));
    $("district-field").hidden = known.length < 2;
    if (!known.length) return void setTimeout(findDistricts, AGAIN_MS);
    choose({ district: known.includes(choice.district) ? choice.district : known[0] });
    $("district").value = choice.district;
  } catch {
    tryAgain("lost");
  }
}

function tryAgain(why) {
  state = { ...state, state: why };
  showState();
  setTimeout(findDistricts, AGAIN_MS);
}

// Waiting times move by themselves; and a stream that is silent for long is no stream.
function tick() {
  if (numbers) showWaiting(numbers.cells.find((cell) => key(cell) === choice.cell));
  if (choice.district && Date.now() - heardAt > SILENT_MS) listen();
}

begin();

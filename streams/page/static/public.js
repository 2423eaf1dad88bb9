// What anybody may see: one district in one completed month. Nothing moves by itself. Choices stand in the address.
import { $, asked, choice, chooser, key, nameOf, offer, putPlace, putWords, remember } from "/static/choices.js";
import { Format, pretty } from "/static/format.js";
import { make, replaceRows } from "/static/draw.js";

const AGAIN_MS = 10_000, FIGURES = 7;

choice.month = asked.get("month") ?? "";
let months = null, numbers = null, state = "connecting", format = new Format(choice.language, "UTC");

// -- what the server tells ------------------------------------------------------------------------------------------
async function read() {
  try {
    months = await json("/months");
    state = Object.keys(months).length ? "completed" : "unpublished";
    if (state === "completed") {
      if (!Object.hasOwn(months, choice.district)) choice.district = Object.keys(months)[0];
      if (!months[choice.district].includes(choice.month)) choice.month = months[choice.district][0];
      const { district, month } = choice;
      const answer = await json(`/numbers?${new URLSearchParams({ district, month })}`);
      if (district !== choice.district || month !== choice.month) return; // somebody chose another one meanwhile
      numbers = answer;
    }
  } catch {
    state = "unread";
    setTimeout(read, AGAIN_MS);
  }
  show();
}

async function json(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}

// -- what people choose ---------------------------------------------------------------------------------------------
function choose(changes) {
  remember(changes);
  if ("district" in changes || "month" in changes) read();
  else show();
}

// -- what is shown --------------------------------------------------------------------------------------------------
function show() {
  format = new Format(choice.language, "UTC");
  putWords(format);
  if (!numbers) return void ($("state").textContent = format.say(state));
  const ofMonth = numbers.cells.filter((cell) => cell.period === "month"), whole = ofMonth.find((cell) => cell.scope === "district");
  const chosen = ofMonth.find((cell) => key(cell) === choice.cell) ?? whole;
  const period = { month: format.month(numbers.month), first: format.date.format(dayOf(whole.first_day)), last: format.date.format(dayOf(whole.last_day)) };
  $("state").textContent = format.say(state, period);
  showPlaces(ofMonth, chosen, whole);
  showCards(chosen, period);
  const caption = `${period.month}, ${format.say(`clock-${choice.clock}`)}`;
  const week = (cell) => format.say("week-of", { first: format.date.format(dayOf(cell.first_day)), last: format.date.format(dayOf(cell.last_day)) });
  showTable("weeks", "week", numbers.cells.filter((cell) => cell.period === "week"), caption, week);
  for (const [id, scope] of [["schools", "school"], ["departments", "department"]])
    showTable(id, "place", ofMonth.filter((cell) => cell.scope === scope), caption, (cell) => chooser(cell, named(cell), chosen, choose), chosen);
}

const dayOf = (text) => new Date(`${text}T00:00:00Z`);

const named = (cell) => nameOf(cell, numbers.district);

function showPlaces(cells, chosen, whole) {
  const option = (value, text) => make("option", { value }, text);
  const group = (scope, word) => make("optgroup", { label: format.say(word) }, ...cells.filter((cell) => cell.scope === scope).map((cell) => option(key(cell), named(cell))));
  $("district").replaceChildren(...Object.keys(months).map((id) => option(id, pretty(id))));
  $("district-field").hidden = Object.keys(months).length < 2;
  $("month").replaceChildren(...months[numbers.district].map((month) => option(month, format.month(month))));
  $("cell").replaceChildren(option("", format.say("whole")), group("school", "schools"), group("department", "departments"));
  $("district").value = numbers.district;
  $("month").value = numbers.month;
  $("cell").value = key(chosen);
  const place = chosen === whole ? named(whole) : `${named(chosen)}, ${named(whole)}`;
  putPlace(place);
}

function showCards(cell, period) {
  const clock = choice.clock === "business" ? "_business" : "", window = format.say("in-month", period);
  const told = (value, write) => (value === null ? format.say("hidden") : write(value));
  const kept = (share) => told(share, (value) => format.say("kept", { share: format.share(value) }));
  const meaning = (id, hidden, word, values) => ($(id).textContent = format.say(hidden ? "hidden-meaning" : word, values));
  $("people").textContent = told(cell.stakeholders, (value) => format.count(value));
  meaning("people-meaning", cell.suppressed, "public-people-meaning", { window, contacts: told(cell.contacts, (value) => format.count(value)) });
  for (const what of ["response", "resolution"]) {
    $(what).textContent = told(cell[`${what}_p50${clock}_ms`], (value) => format.duration(value));
    $(`${what}-kept`).textContent = kept(cell[`${what}_compliance`]);
  }
  const isHidden = cell.response_p50_ms === null && cell.resolution_p50_ms === null;
  meaning("times-meaning", isHidden, "times-meaning", { window, clock: format.say(`clock-${choice.clock}`) });
  $("content").textContent = told(cell.csat, (value) => format.share(value));
  meaning("content-meaning", cell.csat === null, "content-meaning", {});
}

function showTable(id, first, cells, caption, nameOfRow, chosen = null) {
  const clock = choice.clock === "business" ? "_business" : "";
  const head = (word) => make("th", { scope: "col" }, format.say(word));
  const figure = (value, write) => make("td", value === null ? { class: "few" } : {}, value === null ? format.say("hidden") : write(value));
  const count = (value) => format.count(value), share = (value) => format.share(value), time = (value) => format.duration(value);
  const rows = cells.map((cell) => {
    const figures = cell.suppressed
      ? [make("td", { class: "few text", colspan: FIGURES }, format.say("hidden-row"))]
      : [
          figure(cell.stakeholders, count), figure(cell.contacts, count),
          figure(cell[`response_p50${clock}_ms`], time), figure(cell.response_compliance, share),
          figure(cell[`resolution_p50${clock}_ms`], time), figure(cell.resolution_compliance, share), figure(cell.csat, share),
        ];
    return make("tr", { class: cell === chosen ? "chosen" : null }, make("th", { scope: "row" }, nameOfRow(cell)), ...figures);
  });
  const heads = ["people-short", "questions", "response", "in-time", "resolution", "in-time", "content"];
  replaceRows($(id), caption, [first, ...heads].map(head), rows);
}

// -- begin ----------------------------------------------------------------------------------------------------------
offer(choose, ["month"]);
show();
read();

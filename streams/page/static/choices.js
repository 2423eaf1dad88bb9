// What people choose on both pages, and how a cell is named. Choices stand in the address.
import { WORDS } from "/static/words.js";
import { pretty } from "/static/format.js";
import { make } from "/static/draw.js";

export const $ = (id) => document.getElementById(id);
export const asked = new URLSearchParams(location.search);
const CLOCKS = ["business", "calendar"];

export const choice = {
  district: asked.get("district") ?? "",
  cell: asked.get("cell") ?? "",
  clock: CLOCKS.includes(asked.get("clock")) ? asked.get("clock") : "business",
  language: Object.hasOwn(WORDS, asked.get("language")) ? asked.get("language") : navigator.language.startsWith("es") ? "es" : "en",
};

export function remember(changes) {
  Object.assign(choice, changes);
  history.replaceState(null, "", `?${new URLSearchParams(Object.entries(choice).filter(([, value]) => value))}`);
}

export function offer(choose, lists, radios = {}) {
  for (const [name, values] of Object.entries({ ...radios, clock: CLOCKS }))
    for (const value of values) {
      const input = make("input", { type: "radio", name, value });
      input.checked = choice[name] === value;
      input.addEventListener("change", () => choose({ [name]: value }));
      $(name).append(make("label", {}, input, make("span", { "data-word": `${name}-${value}` })));
    }
  $("language").value = choice.language;
  $("choices").addEventListener("submit", (event) => event.preventDefault());
  for (const name of ["language", "cell", ...lists]) $(name).addEventListener("change", (event) => choose({ [name]: event.target.value }));
  $("district").addEventListener("change", (event) => choose({ district: event.target.value, cell: "" }));
}

export function putWords(format) {
  document.documentElement.lang = choice.language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = format.say(element.dataset.word);
}

export function putPlace(place) {
  $("place").textContent = place;
  document.title = `${place} – Frontdesk`;
}

export const key = (cell) => (cell.scope === "district" ? "" : `${cell.scope}/${cell.school || cell.department}`);

export function nameOf(cell, district) {
  const id = { district, school: cell.school, department: cell.department }[cell.scope];
  const name = cell[`${cell.scope}_name`];
  return name === id ? pretty(id) : name;
}

// The cell's name, which chooses the cell, or the whole district where it is chosen already.
export function chooser(cell, name, chosen, choose) {
  const button = make("button", { type: "button", class: "link", "data-key": key(cell), "aria-pressed": String(cell === chosen) }, name);
  button.addEventListener("click", () => choose({ cell: cell === chosen ? "" : key(cell) }));
  return button;
}

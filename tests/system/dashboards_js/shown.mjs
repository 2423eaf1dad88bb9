// What Grafana writes into the cells of a table and the numbers of a stat, and in which color: its own library, a browser of paper.
// Reads [{fieldConfig, fields: [{name, type, values}]}] from standard input and writes, for each, the text and color of each value.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { JSDOM } = require("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
window.matchMedia = () => ({ matches: false, addEventListener() {} });
globalThis.window = window;
for (const name of ["document", "localStorage", "location", "navigator", "HTMLElement", "Element", "Node", "DOMParser"])
  Object.defineProperty(globalThis, name, { value: window[name] });
const data = require("@grafana/data");

const plain = (id, isCustom) => ({ id, path: id, isCustom, process: data.identityOverrideProcessor, shouldApply: () => true });
const standard = ["unit", "decimals", "noValue", "displayName", "thresholds", "color", "links", "min", "max"].map((id) => plain(id, false));
const custom = ["width", "minWidth", "hidden"].map((id) => ({ ...plain(`custom.${id}`, true), path: id }));
const fieldConfigRegistry = new data.Registry(() => [...standard, ...custom]);
const theme = data.createTheme();
const hex = data.colorManipulator.asHexString;

const shown = JSON.parse(readFileSync(0, "utf-8")).map(({ fieldConfig, fields }) => {
  const frame = data.toDataFrame({ fields: fields.map((field) => ({ ...field, config: field.config ?? {} })) });
  const options = { data: [frame], fieldConfig, fieldConfigRegistry, replaceVariables: (text) => text, theme, timeZone: "America/Chicago" };
  const [{ fields: drawn }] = data.applyFieldOverrides(options);
  return drawn.map((field) => ({
    title: data.getFieldDisplayName(field),
    values: field.values.map((value) => ({
      text: data.formattedValueToString(field.display(value)),
      color: hex(field.display(value).color),
    })),
  }));
});
console.log(JSON.stringify({ plain: hex(theme.visualization.getColorByName("text")), shown }));

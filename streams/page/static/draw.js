// Elements and small drawings. Text is always set as text.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function shape(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function bars(counts, label) {
  const most = Math.max(1, ...counts), width = 8, gap = 2, height = 44;
  const drawing = shape("svg", { viewBox: `0 0 ${counts.length * (width + gap)} ${height}`, role: "img", "aria-label": label });
  counts.forEach((count, day) => {
    const tall = Math.max(count ? 2 : 0.5, (count / most) * height);
    drawing.append(shape("rect", { class: day === counts.length - 1 ? "bar today" : "bar", x: day * (width + gap), y: height - tall, width, height: tall }));
  });
  return drawing;
}

export function range(low, value, high, label) {
  const drawing = shape("svg", { viewBox: "0 0 200 14", role: "img", "aria-label": label });
  drawing.append(
    shape("rect", { class: "track", x: 0, y: 5, width: 200, height: 4, rx: 2 }),
    shape("rect", { class: "range", x: 2 * low, y: 3, width: 2 * (high - low), height: 8, rx: 4 }),
    shape("circle", { class: "dot", cx: 2 * value, cy: 7, r: 5 }),
  );
  return drawing;
}

// Rows are made anew, but the element that had the focus keeps it.
export function replaceRows(table, caption, heads, rows) {
  const focused = table.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  table.replaceChildren(make("caption", {}, caption), make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  if (focused) table.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

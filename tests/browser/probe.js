// Runs in the page under test, after the page's own script.
const painted = (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  let pixels = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) {
    pixels++;
    colours.add([data[i] >> 4, data[i + 1] >> 4, data[i + 2] >> 4].join());
  }
  return { pixels, colours: colours.size, points: +canvas.dataset.points, height: canvas.clientHeight, label: canvas.getAttribute("aria-label") };
};
const plots = () => [...document.querySelectorAll("canvas")].map(painted);
const when = () => document.querySelector("#spans .key").textContent;
const panels = document.getElementById("panels");
const report = { drawn: document.documentElement.dataset.drawn || "no", whole: plots(), all: when() };
const press = (key) => panels.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
press("+"); press("+");
report.zoomed = plots(); report.part = when(); report.hash = location.hash;
press("0");
report.again = when();
const first = document.querySelector("canvas"), box = first.getBoundingClientRect();
const pointer = (type, share) => first.dispatchEvent(new PointerEvent(type, { clientX: box.left + 62 + share * (box.width - 72), clientY: box.top + 50, bubbles: true, pointerId: 1 }));
first.setPointerCapture = () => {};
pointer("pointermove", 0.5);
report.values = [...document.querySelectorAll("figcaption output")].map((it) => it.textContent);
pointer("pointerdown", 0.25); pointer("pointermove", 0.5); pointer("pointerup", 0.5);
pointer("pointerleave", 0.5);
report.dragged = location.hash;
document.querySelectorAll("#ways input")[2].click();
report.three = plots();
report.loaded = performance.getEntriesByType("resource").length;
report.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
report.rows = [...document.querySelectorAll("table")].map((it) => it.rows.length);
document.title = "REPORT" + JSON.stringify(report) + "END";

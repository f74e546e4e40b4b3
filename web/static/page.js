// Draws the charts out of the tables that hold their numbers, and knows two
// keys. Without it the page says the same.
"use strict";

// color is what a color of the style sheet is, light or dark: a canvas wants to know.
function color(name) {
  const probe = document.body.appendChild(document.createElement("span"));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// iso is a time in UTC: all of it, or what tells it from its neighbours, which
// are so many seconds away.
function iso(seconds, step) {
  const text = new Date(seconds * 1000).toISOString();
  if (step === undefined) return text.slice(0, 19).replace("T", " ");
  return step >= 86400 ? text.slice(5, 10) : text.slice(11, step < 60 ? 19 : 16);
}

function draw(figure) {
  const cells = [...figure.querySelectorAll("tbody td")];
  const times = cells.filter((_, i) => i % 2 === 0).map((c) => Number(c.dataset.t));
  const values = cells.filter((_, i) => i % 2 === 1).map((c) => Number(c.textContent));
  if (times.length === 0) return;
  const box = document.createElement("div");
  box.setAttribute("aria-hidden", "true"); // the table below says it
  figure.insertBefore(box, figure.querySelector("details"));
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") } };
  const step = Number(figure.dataset.step);
  const chart = new uPlot({
    width: figure.clientWidth, height: 160,
    tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
    legend: { live: true },
    scales: { y: { range: (_, low, high) => [0, high || 1] }, x: { range: () => [times[0], times[times.length - 1] + step] } },
    axes: [{ ...axis, values: (_, times, __, ___, step) => times.map((t) => iso(t, step)) }, { ...axis, size: 72, values: (_, list) => list.map((v) => v.toLocaleString("en", { notation: "compact" })) }],
    series: [{ label: "from (UTC)", value: (_, t) => t == null ? "–" : iso(t) }, {
      label: figure.dataset.unit, fill: color("--bar"), stroke: color("--bar"),
      paths: uPlot.paths.bars({ size: [0.9], align: 1 }), points: { show: false },
    }],
    cursor: { drag: { x: true, y: false, setScale: false } },
    hooks: {
      setSelect: [(u) => {
        // A time that is marked is the one the view is shown of.
        const form = document.querySelector("form.span");
        if (!form || u.select.width < 4) return;
        const at = (x) => iso(u.posToVal(x, "x"));
        form.elements.from.value = at(u.select.left);
        form.elements.to.value = at(u.select.left + u.select.width);
        form.submit();
      }],
    },
  }, [times, values], box);
  new ResizeObserver(() => chart.setSize({ width: figure.clientWidth, height: 160 })).observe(figure);
}

document.querySelectorAll("figure.chart").forEach(draw);

document.addEventListener("keydown", (e) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
  if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey) {
    document.getElementById("search")?.focus();
    e.preventDefault();
  }
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.target.id === "q") e.target.form.submit();
});

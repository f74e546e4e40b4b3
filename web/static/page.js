// Draws the charts out of the tables that hold their numbers, and knows two
// keys. Without it the page says the same.
"use strict";

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
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
    axes: [axis, { ...axis, size: 72, values: (_, list) => list.map((v) => v.toLocaleString("en", { notation: "compact" })) }],
    series: [{ label: "from (UTC)" }, {
      label: figure.dataset.unit, fill: color("--bar"), stroke: color("--bar"),
      paths: uPlot.paths.bars({ size: [0.9], align: 1 }), points: { show: false },
    }],
    cursor: { drag: { x: true, y: false, setScale: false } },
    hooks: {
      setSelect: [(u) => {
        // A time that is marked is the one the view is shown of.
        const form = document.querySelector("form.span");
        if (!form || u.select.width < 4) return;
        const at = (x) => new Date(u.posToVal(x, "x") * 1000).toISOString().slice(0, 19).replace("T", " ");
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

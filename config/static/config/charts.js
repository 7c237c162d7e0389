/* Options of the dashboard's charts, by name. Unfold reads them from data-options as JSON, which
   replaces all of its own; so each kind is complete. */
(() => {
  "use strict";

  const options = (kind) => {
    const isAcross = kind === "across";
    const isStacked = kind === "stacked";
    const value = { beginAtZero: true, grid: { display: true }, stacked: isStacked, ticks: { maxTicksLimit: 6, precision: 0 } };
    const category = { grid: { display: false }, stacked: isStacked, ticks: { autoSkip: !isAcross, maxRotation: 0, maxTicksLimit: isAcross ? 20 : 10 } };
    return {
      animation: false,
      datasets: { bar: { borderRadius: 3, categoryPercentage: 0.8, maxBarThickness: 24 } },
      indexAxis: isAcross ? "y" : "x",
      locale: document.documentElement.lang || "en",
      maintainAspectRatio: false,
      plugins: { legend: { display: isStacked, position: "bottom", labels: { boxHeight: 8, boxWidth: 8 } } },
      responsive: true,
      scales: isAcross ? { x: value, y: category } : { x: category, y: value },
    };
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const canvas of document.querySelectorAll("canvas.chart[data-kind]")) {
      canvas.dataset.options = JSON.stringify(options(canvas.dataset.kind));
    }
  });
})();

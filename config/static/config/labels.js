/* Two libraries of the admin name some controls in English only: the scrolling panes, and the cross
   that clears a picker. Screen readers say these names, so they follow the page's language. */
(() => {
  "use strict";

  const WORDS = {
    "zh-hant": { "scrollable content": "可捲動的內容", "Remove all items": "移除所有項目" },
    "zh-hans": { "scrollable content": "可滚动的内容", "Remove all items": "移除所有项目" },
  };
  const words = WORDS[document.documentElement.lang] ?? {};

  const rename = () => {
    for (const [english, chinese] of Object.entries(words)) {
      for (const name of ["aria-label", "title"]) {
        for (const found of document.querySelectorAll(`[${name}="${english}"]`)) found.setAttribute(name, chinese);
      }
    }
  };

  if (Object.keys(words).length) {
    document.addEventListener("DOMContentLoaded", () => {
      rename();
      new MutationObserver(rename).observe(document.body, { childList: true, subtree: true });
    });
  }
})();

"use strict";

// The value editors of <rule-builder>: one for each kind of field and shape of value.
// Each takes { field, value, label, words, change } and returns an element.
window.ruleBuilderEditors = (() => {
  let lastId = 0;

  function uniqueId() {
    lastId += 1;
    return `rule-builder-${lastId}`;
  }

  function element(name, attributes = {}, children = []) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "text") made.textContent = value;
      else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (key === "value" || key === "checked" || key === "disabled") made[key] = value;
      else if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function option(value, label, selected) {
    const made = element("option", { value, text: label });
    made.selected = value === selected;
    return made;
  }

  function select(label, options, attributes = {}) {
    return element("select", { class: "rule-builder__input", "aria-label": label, ...attributes }, options);
  }

  function input(label, attributes) {
    return element("input", { class: "rule-builder__input", "aria-label": label, autocomplete: "off", ...attributes });
  }

  function inline(children) {
    return element("span", { class: "rule-builder__inline" }, children);
  }

  function note(text) {
    return element("span", { class: "rule-builder__note", text });
  }

  function textEditor({ value, label, change }) {
    return input(label, { type: "text", maxlength: 200, value: value ?? "", oninput: (event) => change(event.target.value) });
  }

  function numberEditor({ field, value, label, change }) {
    const box = input(label, {
      type: "text", inputmode: "decimal", size: 10, value: value ?? "",
      oninput: (event) => change(event.target.value.trim()),
    });
    box.classList.add("rule-builder__input--short");
    return field.unit ? inline([box, note(field.unit)]) : box;
  }

  function moneyEditor({ field, value, label, words, change }) {
    const codes = field.currencies.map((currency) => currency.code);
    if (value?.currency && !codes.includes(value.currency)) codes.push(value.currency);
    const money = { amount: value?.amount ?? "", currency: value?.currency ?? codes[0] ?? "" };
    const amount = input(label, {
      type: "text", inputmode: "decimal", size: 10, value: money.amount,
      oninput: (event) => { money.amount = event.target.value.trim().replaceAll(",", ""); change({ ...money }); },
    });
    amount.classList.add("rule-builder__input--short");
    const currency = codes.length === 1
      ? note(codes[0])
      : select(words.currency, codes.map((code) => option(code, code, money.currency)), {
        onchange: (event) => { money.currency = event.target.value; change({ ...money }); },
      });
    return inline([amount, currency]);
  }

  function dateEditor({ value, label, change }) {
    return input(label, { type: "date", min: "1900-01-01", max: "2999-12-31", value: value ?? "", oninput: (event) => change(event.target.value) });
  }

  function booleanEditor({ value, label, words, change }) {
    const chosen = value === false ? "no" : "yes";
    return select(label, [option("yes", words.yes, chosen), option("no", words.no, chosen)], {
      onchange: (event) => change(event.target.value === "yes"),
    });
  }

  function daysEditor({ value, label, words, change }) {
    const box = input(label, {
      type: "number", min: 0, step: 1, inputmode: "numeric", value: value ?? "",
      oninput: (event) => change(event.target.value),
    });
    box.classList.add("rule-builder__input--short");
    return inline([box, note(words.days)]);
  }

  const SEARCH_FROM = 10;

  function choicesEditor({ field, value, label, words, change }) {
    const chosen = new Set((value ?? []).map(String));
    const offered = new Set(field.choices.map(([key]) => key));
    const gone = [...chosen].filter((key) => !offered.has(key)).map((key) => [key, `${key} (${words.gone})`]);
    const choices = [...field.choices, ...gone];
    // In a list too long to see at once, what is chosen comes first.
    if (choices.length > SEARCH_FROM) choices.sort(([one], [other]) => chosen.has(other) - chosen.has(one));
    const rows = choices.map(([key, text]) => {
      const box = element("input", {
        type: "checkbox", value: key, checked: chosen.has(key),
        onchange: (event) => {
          if (event.target.checked) chosen.add(key);
          else chosen.delete(key);
          change([...chosen]);
        },
      });
      return element("label", { class: "rule-builder__choice" }, [box, element("span", { text })]);
    });
    const list = element("div", { class: "rule-builder__choices" }, rows);
    const group = element("div", { role: "group", "aria-label": label, class: "rule-builder__many" });
    if (rows.length > SEARCH_FROM) group.append(searchBox(rows, words));
    group.append(list);
    return group;
  }

  function searchBox(rows, words) {
    const none = element("p", { class: "rule-builder__note", text: words.nothingFound, hidden: "" });
    const box = input(words.search, {
      type: "search", placeholder: words.search,
      oninput: (event) => {
        const sought = event.target.value.trim().toLocaleLowerCase();
        for (const row of rows) row.hidden = !row.textContent.toLocaleLowerCase().includes(sought);
        none.hidden = rows.some((row) => !row.hidden);
      },
      // Enter here would send the whole form.
      onkeydown: (event) => { if (event.key === "Enter") event.preventDefault(); },
    });
    return element("div", {}, [box, none]);
  }

  const BY_KIND = {
    text: textEditor,
    number: numberEditor,
    money: moneyEditor,
    date: dateEditor,
    instant: dateEditor,
    boolean: booleanEditor,
  };

  function pairEditor(options) {
    const { field, words, change } = options;
    const ends = Array.isArray(options.value) ? [...options.value] : [null, null];
    // The unit is said once, behind the second end.
    const one = (place, label) => BY_KIND[field.kind]({
      ...options, label, value: ends[place], field: place ? field : { ...field, unit: "" },
      change: (value) => { ends[place] = value; change([...ends]); },
    });
    const pair = inline([one(0, words.from), note(words.and), one(1, words.to)]);
    pair.classList.add("rule-builder__pair");
    return pair;
  }

  function editorFor(field, operator, options) {
    const all = { ...options, field, label: options.words.value };
    if (operator.shape === "nothing") return null;
    if (operator.shape === "days") return daysEditor(all);
    if (operator.shape === "many") return choicesEditor(all);
    if (operator.shape === "pair") return pairEditor(all);
    return BY_KIND[field.kind](all);
  }

  // What a fresh row holds, so that a visible default is also what gets posted.
  function emptyValue(field, operator) {
    if (operator.shape === "many") return [];
    if (operator.shape === "pair") return [blank(field), blank(field)];
    if (operator.shape === "one") return blank(field);
    return operator.shape === "days" ? "" : null;
  }

  function blank(field) {
    if (field.kind === "boolean") return true;
    if (field.kind === "money") return { amount: "", currency: field.currencies[0]?.code ?? "" };
    return "";
  }

  return { editorFor, emptyValue, element, option, select, uniqueId };
})();

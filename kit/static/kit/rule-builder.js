"use strict";

// <rule-builder>: groups (all, any, none) of rows (field, operator, value). The tree lives in
// `this.tree` and is copied into the hidden input at every change; the page posts that input.
(() => {
  const { editorFor, emptyValue, element, option, select, uniqueId } = window.ruleBuilderEditors;

  const MODES = {
    all: { combinator: "and", not: false },
    any: { combinator: "or", not: false },
    none: { combinator: "or", not: true },
    notAll: { combinator: "and", not: true },
  };

  const isGroup = (node) => Array.isArray(node.rules);

  function modeOf(group) {
    const is = (mode) => MODES[mode].combinator === group.combinator && MODES[mode].not === Boolean(group.not);
    return Object.keys(MODES).find(is) ?? "all";
  }

  function readTree(text) {
    let tree = null;
    try {
      tree = JSON.parse(text);
    } catch {
      // A broken value is shown as an empty tree; the server has said what was wrong with it.
    }
    return tree && isGroup(tree) ? tree : { combinator: "and", not: false, rules: [] };
  }

  class RuleBuilder extends HTMLElement {
    connectedCallback() {
      // While the page is being parsed the children are not there yet.
      if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", () => this.start(), { once: true });
      } else {
        this.start();
      }
    }

    start() {
      if (!this.isConnected) return;
      this.hidden_ = this.querySelector("input[type=hidden]");
      this.schema = JSON.parse(this.querySelector("script[type='application/json']").textContent);
      this.words = this.schema.words;
      this.fields = new Map(this.schema.fields.map((field) => [field.name, field]));
      this.tree = readTree(this.hidden_.value);
      this.problem = this.schema.problem;
      this.render();
    }

    render() {
      this.querySelector(".rule-builder__tree").replaceChildren(this.group(this.tree, null, []));
    }

    // Keeps the input in step and lets the page know, as a typed field would.
    save() {
      this.hidden_.value = JSON.stringify(this.tree);
      this.hidden_.dispatchEvent(new Event("input", { bubbles: true }));
      this.hidden_.dispatchEvent(new Event("change", { bubbles: true }));
    }

    // After adding or removing, paths have moved: the old problem no longer points anywhere.
    restructure(message) {
      this.problem = null;
      this.save();
      this.render();
      this.querySelector(".rule-builder__status").textContent = message;
    }

    count(group = this.tree) {
      return group.rules.reduce((sum, node) => sum + (isGroup(node) ? this.count(node) : 1), 0);
    }

    find(node) {
      return [...this.querySelectorAll("[data-node]")].find((box) => box.node === node);
    }

    group(node, parent, path) {
      const list = element("ul", { class: "rule-builder__list" });
      node.rules.forEach((child, place) => {
        const here = [...path, place];
        const box = isGroup(child) ? this.group(child, node, here) : this.row(child, node, here);
        list.append(element("li", {}, [box]));
      });
      const box = element(
        "fieldset",
        { class: "rule-builder__group", "data-node": "", "aria-label": this.words.group },
        [this.groupHead(node, parent)],
      );
      if (node.rules.length) box.append(list);
      else if (!parent) box.append(element("p", { class: "rule-builder__empty", text: this.words.empty }));
      box.append(this.groupButtons(node, path), ...this.problemAt(path, box));
      box.node = node;
      return box;
    }

    groupHead(node, parent) {
      const mode = modeOf(node);
      // "Not all" is only kept where it came from outside: three choices are enough to think in.
      const modes = Object.keys(MODES).filter((name) => name !== "notAll" || mode === name);
      const picker = select(this.words.combine, modes.map((name) => option(name, this.words[name], mode)), {
        onchange: (event) => { Object.assign(node, MODES[event.target.value]); this.save(); },
      });
      const head = element("div", { class: "rule-builder__head" }, [picker]);
      if (parent) head.append(this.removeButton(this.words.removeGroup, node, parent));
      return head;
    }

    groupButtons(node, path) {
      const isFull = this.count() >= this.schema.limits.rules || !this.schema.fields.length;
      const buttons = [this.button("+", this.words.addRule, isFull, () => this.add(node, this.newRule()))];
      if (path.length + 1 < this.schema.limits.depth) {
        const fresh = () => ({ combinator: "or", not: false, rules: [this.newRule()] });
        buttons.push(this.button("+", this.words.addGroup, isFull, () => this.add(node, fresh())));
      }
      if (isFull) buttons.push(element("span", { class: "rule-builder__note", text: this.words.full }));
      return element("div", { class: "rule-builder__buttons" }, buttons);
    }

    button(sign, label, disabled, act) {
      return element("button", { type: "button", class: "rule-builder__button", disabled, onclick: act }, [
        element("span", { "aria-hidden": "true", text: sign }),
        element("span", { text: label }),
      ]);
    }

    removeButton(label, node, parent) {
      return element("button", {
        type: "button", class: "rule-builder__remove", "aria-label": label, title: label, text: "×",
        onclick: () => this.remove(node, parent),
      });
    }

    newRule() {
      const [field] = this.schema.fields;
      const [operator] = field.operators;
      return { field: field.name, operator: operator.name, value: emptyValue(field, operator) };
    }

    add(group, node) {
      group.rules.push(node);
      this.restructure(this.words.added);
      const first = isGroup(node) ? node.rules[0] : node;
      this.find(first)?.querySelector("select")?.focus();
    }

    remove(node, parent) {
      const place = parent.rules.indexOf(node);
      parent.rules.splice(place, 1);
      this.restructure(this.words.removed);
      const next = parent.rules[Math.min(place, parent.rules.length - 1)];
      const box = this.find(next ?? parent);
      box?.querySelector(next ? "select" : ".rule-builder__button")?.focus();
    }

    row(rule, parent, path) {
      const box = element("div", {
        class: "rule-builder__row", role: "group", "aria-label": this.words.condition, "data-node": "",
      });
      box.node = rule;
      const field = this.fields.get(rule.field);
      const operator = field?.operators.find((one) => one.name === rule.operator) ?? null;
      box.append(this.fieldPicker(rule, box, parent, path));
      if (field) box.append(this.operatorPicker(rule, field, operator, box, parent, path));
      if (operator) {
        const editor = editorFor(field, operator, {
          value: rule.value, words: this.words,
          change: (value) => { rule.value = value; this.save(); },
        });
        if (editor) box.append(element("div", { class: "rule-builder__value" }, [editor]));
      }
      box.append(this.removeButton(this.words.removeRule, rule, parent), ...this.problemAt(path, box));
      return box;
    }

    redraw(box, rule, parent, path, focused) {
      this.save();
      const fresh = this.row(rule, parent, path);
      box.replaceWith(fresh);
      fresh.querySelectorAll("select")[focused]?.focus();
    }

    fieldPicker(rule, box, parent, path) {
      const picker = select(this.words.field, [], {
        onchange: (event) => {
          const field = this.fields.get(event.target.value);
          const [operator] = field.operators;
          Object.assign(rule, { field: field.name, operator: operator.name, value: emptyValue(field, operator) });
          this.redraw(box, rule, parent, path, 0);
        },
      });
      picker.classList.add("rule-builder__field");
      if (!this.fields.has(rule.field)) {
        picker.append(option("", `${rule.field} (${this.words.gone})`, ""));
        picker.firstChild.disabled = true;
      }
      const groups = Map.groupBy
        ? Map.groupBy(this.schema.fields, (field) => field.group)
        : new Map([["", this.schema.fields]]);
      for (const [label, fields] of groups) {
        const options = fields.map((field) => option(field.name, field.label, rule.field));
        if (label) picker.append(element("optgroup", { label }, options));
        else picker.append(...options);
      }
      return picker;
    }

    operatorPicker(rule, field, operator, box, parent, path) {
      const options = field.operators.map((one) => option(one.name, one.label, rule.operator));
      if (!operator) options.unshift(option(rule.operator, this.words.choose, rule.operator));
      const picker = select(this.words.operator, options, {
        onchange: (event) => {
          const chosen = field.operators.find((one) => one.name === event.target.value);
          // A value survives where the new operator takes the same shape: ≥ 500 becomes < 500.
          if (!operator || chosen.shape !== operator.shape) rule.value = emptyValue(field, chosen);
          rule.operator = chosen.name;
          this.redraw(box, rule, parent, path, 1);
        },
      });
      picker.classList.add("rule-builder__operator");
      return picker;
    }

    problemAt(path, box) {
      if (!this.problem || this.problem.path.join() !== path.join() || !path.length) return [];
      const id = uniqueId();
      box.classList.add("rule-builder--wrong");
      box.setAttribute("aria-describedby", id);
      for (const control of box.querySelectorAll("select, input")) control.setAttribute("aria-invalid", "true");
      return [element("p", { id, class: "rule-builder__problem", text: this.problem.message })];
    }
  }

  customElements.define("rule-builder", RuleBuilder);
})();

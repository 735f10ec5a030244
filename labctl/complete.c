/* SPDX-License-Identifier: MIT */
/*
 * complete: completion. The shells' scripts only ask `labctl __complete WORD...` (the words behind
 * "labctl", the last of them being written) and offer the lines it prints; what may stand there
 * is decided here, from the verb table and the running labs. Never starts an engine, and never
 * prints an error: a completion that fails offers nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labctl/client.h"
#include "labctl/opts.h"
#include "labctl/paths.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/view/kube.h"
#include "lib/view/obj.h"
#include "lib/yaml/yaml.h"

static const char bash_script[] =
	"# completion of labctl for bash\n"
	"_labctl() {\n"
	"\tlocal cur words cword w before=()\n"
	"\tif declare -F _get_comp_words_by_ref >/dev/null; then\n"
	"\t\t_get_comp_words_by_ref -n : cur words cword\n"
	"\telse\n"
	"\t\tcur=${COMP_WORDS[COMP_CWORD]} words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
	"\tfi\n"
	"\t# bash parts --flag=value at the sign; only the value is to be replaced\n"
	"\tfor w in \"${words[@]:1:cword-1}\"; do [[ $w == = ]] || before+=(\"$w\"); done\n"
	"\t[[ $cur == = ]] && cur=\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(\"${words[0]}\" __complete \"${before[@]}\" \"$cur\" 2>/dev/null))\n"
	"\tif [[ ${COMPREPLY[0]} == :files ]]; then\n"
	"\t\tCOMPREPLY=(\"${COMPREPLY[@]:1}\" $(compgen -f -- \"$cur\"))\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\tfi\n"
	"\t[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null\n"
	"\tdeclare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions \"$cur\"\n"
	"\treturn 0\n"
	"}\n"
	"complete -F _labctl labctl\n";

static const char zsh_script[] =
	"#compdef labctl\n"
	"_labctl() {\n"
	"\tlocal -a lines\n"
	"\tlines=(\"${(@f)$(${words[1]} __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tif [[ ${lines[1]} == :files ]]; then\n"
	"\t\tshift lines\n"
	"\t\t_files\n"
	"\tfi\n"
	"\tcompadd -a lines\n"
	"}\n"
	"if [[ $funcstack[1] == _labctl ]]; then _labctl; else compdef _labctl labctl; fi\n";

static const char fish_script[] =
	"# completion of labctl for fish\n"
	"function __labctl\n"
	"\tset -l words (commandline -opc) (commandline -ct)\n"
	"\tset -l lines ($words[1] __complete $words[2..-1] 2>/dev/null)\n"
	"\tcontains -- :files $lines; and __fish_complete_path (commandline -ct)\n"
	"\tstring match -v ':files' -- $lines\n"
	"end\n"
	"complete -c labctl -f -a '(__labctl)'\n";

int verb_completion(const struct opts *o, struct err *err)
{
	const char *shell = o->args[0];
	fputs(strcmp(shell, "bash") == 0  ? bash_script
	      : strcmp(shell, "zsh") == 0 ? zsh_script
					  : fish_script,
	      stdout);
	return 0;
}

static void offer(const char *prefix, const char *word, const char *cur)
{
	_strbuf_ struct strbuf full = STRBUF_INIT;
	strbuf_addf(&full, "%s%s", prefix, word);
	if (strncmp(full.s, cur, strlen(cur)) == 0)
		puts(full.s);
}

/* Each word of "a|b|c". */
static void offer_choices(const char *list, const char *cur)
{
	while (*list) {
		char word[64];
		size_t n = strcspn(list, "|");
		snprintf(word, sizeof(word), "%.*s", (int)n, list);
		offer("", word, cur);
		list += n + (list[n] == '|');
	}
}

static void offer_running(const char *cur)
{
	for (int k = 0; k < ENGINE_COUNT; k++) {
		size_t i;
		json_t *l;
		if (!client_answers((enum engine_kind)k))
			continue;
		json_t *labs = client_labs((enum engine_kind)k);
		json_array_foreach (labs, i, l)
			offer("", obj_str(l, "name", ""), cur);
		json_decref(labs);
	}
}

static void offer_shipped(const char *name, const char *path, void *arg)
{
	offer("", name, arg);
}

/* Names of the running lab's objects of a kind. */
static void offer_objects(const struct opts *o, const char *plural, const char *ns,
			  const char *prefix, const char *cur)
{
	enum engine_kind k;
	const char *lab;
	json_t *items = NULL, *v;
	size_t i;
	if (client_lab(o, &k, &lab, NULL) < 0 || client_get(k, lab, plural, ns, &items, NULL) < 0)
		return;
	json_array_foreach (items, i, v)
		offer(prefix, obj_name(v), cur);
	json_decref(items);
}

static const char *namespace_of(const struct opts *o)
{
	return o->val[FLAG_NAMESPACE] ? o->val[FLAG_NAMESPACE] : "default";
}

static void offer_where(const struct opts *o, const char *cur)
{
	offer_objects(o, "pods", namespace_of(o), "", cur);
	if (strncmp(cur, "pod/", 4) == 0)
		offer_objects(o, "pods", namespace_of(o), "pod/", cur);
	if (strncmp(cur, "deploy/", 7) == 0)
		offer_objects(o, "deployments", namespace_of(o), "deploy/", cur);
	offer_objects(o, "nodes", NULL, "node/", cur);
	offer_objects(o, "hosts", NULL, "host/", cur);
}

/* Flows of the lab that is meant, or of all that run. */
static void offer_flows(const struct opts *o, const char *cur)
{
	json_t *labs = client_all_labs(), *l, *f;
	const char *lab = o->val[FLAG_LAB];
	size_t i, k;
	json_array_foreach (labs, i, l) {
		if (lab && strcmp(obj_str(l, "name", ""), lab) != 0)
			continue;
		json_array_foreach (json_object_get(l, "flows"), k, f)
			offer("", obj_str(f, "name", ""), cur);
	}
	json_decref(labs);
}

/* Flows of a shipped lab. */
static void offer_shipped_flows(const char *name, const char *path, void *arg)
{
	struct yaml_files *f = yaml_files_new();
	size_t i, k;
	json_t *d, *flow;
	yaml_files_add(f, path, NULL);
	json_array_foreach ((json_t *)yaml_files_docs(f), i, d)
		if (strcmp(obj_str(d, "kind", ""), "Lab") == 0)
			json_array_foreach ((json_t *)obj_at(d, "spec.flows"), k, flow)
				offer("", obj_str(flow, "name", ""), arg);
	yaml_files_free(f);
}

/* A flow, then labs that are up, those that could be, and files. */
static void offer_compare(const struct opts *o, const char *cur)
{
	if (!o->n_args) {
		offer_flows(o, cur);
		path_labs(offer_shipped_flows, (void *)cur);
		return;
	}
	puts(":files");
	offer_running(cur);
	path_labs(offer_shipped, (void *)cur);
}

static void offer_kinds(const struct opts *o, const char *cur)
{
	size_t n, slash = strcspn(cur, "/");
	const struct view_kind *kinds = view_kinds(&n);
	char word[64];
	if (cur[slash]) { /* KIND/NAME */
		snprintf(word, sizeof(word), "%.*s", (int)slash, cur);
		const struct view_kind *k = view_kind_find(word);
		snprintf(word, sizeof(word), "%.*s/", (int)slash, cur);
		if (k)
			offer_objects(o, k->plural, k->namespaced ? namespace_of(o) : NULL, word,
				      cur);
		return;
	}
	for (size_t i = 0; i < n; i++)
		offer("", kinds[i].plural, cur);
}

static void offer_operand(const struct opts *o, const char *cur)
{
	const struct verb *v = o->verb;
	const struct view_kind *k;
	if (v->max >= 0 && o->n_args >= v->max)
		return;
	switch (v->operand) {
	case OPERAND_SHIPPED:
		puts(":files");
		path_labs(offer_shipped, (void *)cur);
		break;
	case OPERAND_RUNNING:
		offer_running(cur);
		break;
	case OPERAND_WHERE:
		offer_where(o, cur);
		break;
	case OPERAND_FLOW:
		offer_flows(o, cur);
		break;
	case OPERAND_COMPARE:
		offer_compare(o, cur);
		break;
	case OPERAND_WORDS:
		offer_choices(v->args, cur);
		break;
	case OPERAND_KIND:
		k = o->n_args ? view_kind_find(o->args[0]) : NULL;
		if (!o->n_args)
			offer_kinds(o, cur);
		else if (k)
			offer_objects(o, k->plural, k->namespaced ? namespace_of(o) : NULL, "",
				      cur);
		break;
	case OPERAND_NONE:
		break;
	}
}

static void offer_flags(const struct verb *v, const char *cur)
{
	const struct flag *flags = v ? v->flags : early_flags;
	size_t n = v ? v->n_flags : n_early_flags;
	for (size_t i = 0; i < n; i++)
		offer("--", flags[i].name, cur);
	offer("--", flag_help.name, cur);
}

static void offer_verbs(const char *cur)
{
	for (size_t i = 0; i < n_verbs; i++) {
		if (!verbs[i].hidden)
			offer("", verbs[i].name, cur);
	}
}

/* The flag that still waits for its argument as the last finished word; NULL. */
static const struct flag *open_flag(const struct verb *v, const char *word)
{
	const struct flag *f = NULL;
	if (word[0] != '-' || !word[1] || strchr(word, '='))
		return NULL;
	if (word[1] == '-')
		f = opts_flag(v, word + 2, strlen(word + 2), 0);
	else
		f = opts_flag(v, NULL, 0, word[strlen(word) - 1]);
	return f && f->arg ? f : NULL;
}

static void offer_value(const struct opts *o, const struct flag *f, const char *cur)
{
	if (strchr(f->arg, '|'))
		offer_choices(f->arg, cur);
	else if (f->id == FLAG_LAB)
		offer_running(cur);
	else if (f->id == FLAG_NAMESPACE)
		offer_objects(o, "namespaces", NULL, "", cur);
}

/* The verb among the finished words, to know an open flag of its before they are parsed. */
static const struct verb *verb_among(char *const *words, int n)
{
	for (int i = 0; i < n; i++) {
		const struct verb *v = words[i][0] == '-' ? NULL : verb_find(words[i]);
		if (v && !v->hidden)
			return v;
	}
	return NULL;
}

int verb_complete(const struct opts *o, struct err *err)
{
	int n = o->n_command;
	if (n == 0)
		return 0;
	const char *cur = o->command[n - 1];
	const struct verb *v = verb_among(o->command, n - 1);
	const struct flag *f = n > 1 ? open_flag(v, o->command[n - 2]) : NULL;
	int done = n - 1 - (f != NULL);
	_free_ char **words = calloc((size_t)done + 1, sizeof(*words));
	if (!words)
		return 0;
	memcpy(words, o->command, (size_t)done * sizeof(*words));
	struct opts sofar;
	/* Operands may still be missing: the parser's complaint about that is no matter here. */
	int r = opts_parse(words, &sofar, NULL);
	if (!sofar.command && f)
		offer_value(&sofar, f, cur);
	else if (!sofar.command && cur[0] == '-')
		offer_flags(sofar.verb, cur);
	else if (!sofar.verb && r == 0)
		offer_verbs(cur);
	else if (!sofar.command && sofar.verb && strcmp(sofar.verb->name, "help") == 0)
		offer_verbs(cur);
	else if (!sofar.command && sofar.verb)
		offer_operand(&sofar, cur);
	free(sofar.args);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* See arm.h. */
#include "labd/trace/arm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/sysctl.h"
#include "labd/kernel/xt_tool.h"
#include "labd/lab/life.h"
#include "labd/trace/freeze.h"
#include "labd/trace/nftable.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#define FILE_MAX     65536
#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 20
#define NF_LOG	     "net.netfilter.nf_log.2" /* the logger of AF_INET in this namespace */
#define NF_LOG_OURS  "nfnetlink_log"
#define RAW_CHAIN    "LABD-TRACE"
#define FREEZE_CHAIN "LABD-FREEZE"
#define HOLD_CHAIN   "LABD-HOLD"
#define FREED_CHAIN  "LABD-FREED"

/* ---- the file --------------------------------------------------------------------------------
 */

static int open_file(const struct stored *lab, bool wait, struct err *err)
{
	char path[320];
	snprintf(path, sizeof(path), "%s/" ARM_FILE, lab->dir);
	_close_ int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "%s", path);
	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; ms += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "%s", path);
		if (!wait || ms >= LOCK_WAIT_MS)
			return err_set(err, EBUSY, "another trace is running in lab \"%s\"",
				       lab->name);
		usleep(LOCK_STEP_MS * 1000);
	}
	return take_fd(&fd);
}

/* Before the thing is done. */
static int note(const struct arm *x, size_t ns, const char *what, const char *value,
		struct err *err)
{
	char line[400];
	int n = snprintf(line, sizeof(line), "%s %s %s\n", what, x->lab->desired->ns.v[ns].name,
			 value);
	int r = write_all(x->file, line, (size_t)n);
	return r < 0 ? err_sys(err, r, ARM_FILE) : 0;
}

/* ---- single steps, in the calling thread's namespace ------------------------------------------
 */

static int set_log(const char *value, struct err *err)
{
	_sysctl_ struct sysctl s = SYSCTL_INIT;
	return sysctl_set(&s, NF_LOG, value, true, err);
}

static int get_log(char *buf, size_t size)
{
	_sysctl_ struct sysctl s = SYSCTL_INIT;
	return sysctl_get(&s, NF_LOG, buf, size, NULL);
}

/* how: "legacy" or "nft" */
static int restore_start(struct tool *t, const struct stored *lab, const char *how,
			 const char *text, struct err *err)
{
	bool nft = strcmp(how, "nft") == 0;
	const char *const argv[] = {nft ? "iptables-nft-restore" : "iptables-legacy-restore",
				    "--noflush", "-w", NULL};
	char env[340];
	snprintf(env, sizeof(env), "XTABLES_LOCKFILE=%s/trace.lock", lab->dir);
	return tool_start(t, argv, env, text, strlen(text), err);
}

static int restore_wait(struct tool *t, struct err *err)
{
	char text[512];
	int r = tool_wait(t, text, sizeof(text), err);
	return r == 1 ? err_set(err, EIO, "iptables-restore: %s", text) : r;
}

static const char raw_off[] = "*raw\n"
			      "-D PREROUTING -j " RAW_CHAIN "\n"
			      "-D OUTPUT -j " RAW_CHAIN "\n"
			      "-F " RAW_CHAIN "\n"
			      "-X " RAW_CHAIN "\n"
			      "COMMIT\n";

#define FREEZE_CHAINS_OFF                                                                          \
	"-F " FREEZE_CHAIN "\n-F " HOLD_CHAIN "\n-F " FREED_CHAIN "\n"                             \
	"-X " FREEZE_CHAIN "\n-X " HOLD_CHAIN "\n-X " FREED_CHAIN "\nCOMMIT\n"

static const char freeze_off[] = "*raw\n"
				 "-D PREROUTING -j " FREEZE_CHAIN "\n"
				 "-D OUTPUT -j " FREEZE_CHAIN "\n" FREEZE_CHAINS_OFF "*mangle\n"
				 "-D INPUT -j " FREEZE_CHAIN "\n"
				 "-D FORWARD -j " FREEZE_CHAIN "\n"
				 "-D POSTROUTING -j " FREEZE_CHAIN "\n" FREEZE_CHAINS_OFF;

static int rules_remove(const struct stored *lab, const char *how, const char *text,
			struct err *err)
{
	struct tool t;
	int r = restore_start(&t, lab, how, text, err);
	return r < 0 ? r : restore_wait(&t, err);
}

/* ---- what a killed trace left ------------------------------------------------------------------
 */

static int netns_of(const struct stored *lab, const char *ns)
{
	char name[300], path[320];
	lab_pin_name(lab->name, ns, name, sizeof(name));
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void take_back(const struct stored *lab, char *line)
{
	char *save = NULL;
	const char *what = strtok_r(line, " ", &save), *ns = strtok_r(NULL, " ", &save);
	const char *value = strtok_r(NULL, " ", &save);
	_close_ int fd = ns ? netns_of(lab, ns) : -1;
	_nlns_ struct nlns home = NLNS_INIT;
	struct err err = {0};
	if (fd < 0 || nlns_enter(&home, fd, &err) < 0)
		return;
	if (strcmp(what, "nft") == 0)
		nftable_remove(NULL, &err);
	else if (strcmp(what, "log") == 0 && value)
		set_log(value, &err);
	else if (strcmp(what, "raw") == 0)
		rules_remove(lab, "legacy", raw_off, &err);
	else if (strcmp(what, "freeze") == 0 && value)
		rules_remove(lab, value, freeze_off, &err);
	if (err.code)
		log_warn("lab %s: %s: taking back a trace's %s: %s", lab->name, ns, what, err.text);
}

/* The file is ours alone. */
static int clear_file(const struct stored *lab, int file, struct err *err)
{
	_free_ char *text = calloc(1, FILE_MAX + 1);
	ssize_t n = text ? pread(file, text, FILE_MAX, 0) : -1;
	if (n < 0)
		return err_sys(err, errno, ARM_FILE);
	char *save = NULL;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		take_back(lab, l);
	return ftruncate(file, 0) < 0 ? err_sys(err, errno, ARM_FILE) : 0;
}

int trace_disarm_stale(const struct stored *lab, struct err *err)
{
	char path[320];
	snprintf(path, sizeof(path), "%s/" ARM_FILE, lab->dir);
	if (!path_exists(path))
		return 0;
	_close_ int fd = open_file(lab, false, err);
	if (fd == -EBUSY)
		return 0;
	return fd < 0 ? fd : clear_file(lab, fd, err);
}

/* ---- on ----------------------------------------------------------------------------------------
 */

int arm_begin(struct arm *x, const struct stored *lab, const int *netns, struct err *err)
{
	*x = (struct arm){.lab = lab, .netns = netns, .n = lab->desired->ns.n, .file = -1};
	x->v = calloc(x->n, sizeof(*x->v));
	if (!x->v)
		return err_sys(err, ENOMEM, "trace");
	x->file = open_file(lab, true, err);
	return x->file < 0 ? x->file : clear_file(lab, x->file, err);
}

static void missing(struct recording *r, size_t ns, const char *what, const struct err *why)
{
	*vec_push(r->arena, &r->missing) =
		arena_printf(r->arena, "no %s in %s: %s", what, r->ns.v[ns].name, why->text);
}

static bool has_legacy_rules(const struct rec_ns *ns)
{
	vec_foreach (const struct rec_rule, rule, &ns->rules)
		if (!rule->handle)
			return true;
	return ns->backend && strcmp(ns->backend, "legacy") == 0;
}

static int arm_table(struct arm *x, size_t i, const struct marker *m, unsigned n,
		     uint16_t vxlan_port, struct recording *r, struct err *err)
{
	struct arm_ns *a = &x->v[i];
	struct err why = {0};
	int code = nftable_add(&a->s, m, n, vxlan_port, &a->owned, &why);
	if (code == 0) {
		a->world = ARM_NFT;
		/* without an owner it would stay; noted late, but an unowned table of ours is also
		 * replaced by the next trace */
		return a->owned ? 0 : note(x, i, "nft", "", err);
	}
	if (has_legacy_rules(&r->ns.v[i]))
		a->world = ARM_LEGACY;
	else
		missing(r, i, "rule trace", &why);
	return 0;
}

static int arm_log(struct arm *x, size_t i, struct recording *r, struct err *err)
{
	struct arm_ns *a = &x->v[i];
	char old[sizeof(a->log_old)];
	if (!has_legacy_rules(&r->ns.v[i]))
		return 0;
	if (get_log(old, sizeof(old)) < 0) {
		a->world = ARM_NONE;
		struct err why = {.text = "this kernel has no " NF_LOG};
		missing(r, i, "trace of legacy rules", &why);
		return 0;
	}
	if (strcmp(old, NF_LOG_OURS) == 0)
		return 0;
	int code = note(x, i, "log", old, err);
	if (code < 0)
		return code;
	struct err why = {0};
	memcpy(a->log_old, old, sizeof(old));
	if (set_log(NF_LOG_OURS, &why) < 0)
		missing(r, i, "trace of legacy rules", &why);
	return 0;
}

static int arm_one(struct arm *x, size_t i, const struct marker *m, unsigned n, uint16_t vxlan_port,
		   struct recording *r, struct err *err)
{
	struct arm_ns *a = &x->v[i];
	int code = nfstream_open(&a->s, (int)i, err);
	if (code == 0)
		code = arm_table(x, i, m, n, vxlan_port, r, err);
	if (code == 0)
		code = arm_log(x, i, r, err);
	struct err why = {0};
	if (code == 0 &&
	    nfstream_listen(&a->s, a->world == ARM_NFT, has_legacy_rules(&r->ns.v[i]), &why) < 0)
		missing(r, i, "rule trace", &why);
	return code;
}

/* Legacy rules, in all namespaces that need them at once: an exec takes long in a guest. */
static int arm_raw(struct arm *x, struct nlns *home, const struct marker *m, unsigned n,
		   uint16_t vxlan_port, struct recording *r, struct err *err)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	_free_ struct tool *tools = calloc(x->n, sizeof(*tools));
	int code = tools ? 0 : err_sys(err, ENOMEM, "trace");
	strbuf_adds(&text, "*raw\n:" RAW_CHAIN " - [0:0]\n-I PREROUTING 1 -j " RAW_CHAIN
			   "\n-I OUTPUT 1 -j " RAW_CHAIN "\n");
	for (unsigned i = 0; i < n; i++)
		marker_u32(&m[i], vxlan_port, "-A " RAW_CHAIN " -m u32 --u32 \"", "\" -j TRACE",
			   &text);
	strbuf_adds(&text, "COMMIT\n");
	for (size_t i = 0; code == 0 && i < x->n; i++) {
		if (x->v[i].world != ARM_LEGACY)
			continue;
		code = nlns_enter(home, x->netns[i], err);
		if (code == 0)
			code = note(x, i, "raw", "", err);
		if (code == 0)
			code = restore_start(&tools[i], x->lab, "legacy", strbuf_str(&text), err);
	}
	for (size_t i = 0; tools && i < x->n; i++) {
		struct err why = {0};
		if (tools[i].pid <= 0)
			continue;
		if (restore_wait(&tools[i], &why) < 0)
			missing(r, i, "rule trace", &why);
		else
			x->v[i].raw = true;
	}
	return code;
}

int arm_on(struct arm *x, const struct marker *m, unsigned n, uint16_t vxlan_port,
	   struct recording *r, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	int code = 0;
	for (size_t i = 0; code == 0 && i < x->n; i++) {
		if (!r->ns.v[i].backend)
			continue; /* no rules there */
		code = nlns_enter(&home, x->netns[i], err);
		if (code == 0)
			code = arm_one(x, i, m, n, vxlan_port, r, err);
	}
	return code < 0 ? code : arm_raw(x, &home, m, n, vxlan_port, r, err);
}

/* The rules of a table that hold the packet (freeze.h says how): a packet that comes back from the
 * queue has a mark, loses it, and goes on to the rules behind ours. */
static void freeze_rules(const char *table, const char *matches, const char *const *chains,
			 struct strbuf *out)
{
	strbuf_addf(out,
		    "*%s\n:" FREEZE_CHAIN " - [0:0]\n:" HOLD_CHAIN " - [0:0]\n:" FREED_CHAIN
		    " - [0:0]\n%s"
		    "-A " HOLD_CHAIN " -m mark --mark 0x%x/0x%x -g " FREED_CHAIN "\n"
		    "-A " HOLD_CHAIN " -j NFQUEUE --queue-num %d --queue-bypass\n"
		    "-A " FREED_CHAIN " -j MARK --set-xmark 0x0/0x%x\n",
		    table, matches, FREEZE_MARK, FREEZE_MARK, FREEZE_QUEUE, FREEZE_MARK);
	for (; *chains; chains++)
		strbuf_addf(out, "-I %s 1 -j " FREEZE_CHAIN "\n", *chains);
	strbuf_adds(out, "COMMIT\n");
}

static int freeze_start(struct arm *x, size_t i, struct nlns *home, const char *how,
			const char *text, struct tool *t, struct err *err)
{
	int code = nlns_enter(home, x->netns[i], err);
	if (code == 0)
		code = note(x, i, "freeze", how, err);
	return code < 0 ? code : restore_start(t, x->lab, how, text, err);
}

int arm_freeze(struct arm *x, const struct marker *m, uint16_t vxlan_port, const char *how,
	       const struct recording *r, struct err *err)
{
	static const char *const raw[] = {"PREROUTING", "OUTPUT", NULL};
	static const char *const mangle[] = {"INPUT", "FORWARD", "POSTROUTING", NULL};
	_nlns_ struct nlns home = NLNS_INIT;
	_strbuf_ struct strbuf text = STRBUF_INIT, matches = STRBUF_INIT;
	_free_ struct tool *tools = calloc(x->n ? x->n : 1, sizeof(*tools));
	int code = tools ? 0 : err_sys(err, ENOMEM, "trace");
	marker_u32(m, vxlan_port, "-A " FREEZE_CHAIN " -m u32 --u32 \"", "\" -g " HOLD_CHAIN,
		   &matches);
	freeze_rules("raw", strbuf_str(&matches), raw, &text);
	freeze_rules("mangle", strbuf_str(&matches), mangle, &text);
	for (size_t i = 0; code == 0 && i < x->n; i++)
		if (strcmp(r->ns.v[i].role, "node") == 0)
			code = freeze_start(x, i, &home, how, strbuf_str(&text), &tools[i], err);
	for (size_t i = 0; tools && i < x->n; i++) {
		if (tools[i].pid <= 0)
			continue;
		struct err why = {0};
		x->v[i].freeze = how; /* also when only a part of it is there */
		if (restore_wait(&tools[i], &why) < 0 && code == 0) {
			*err = why;
			code = why.code;
		}
	}
	return code;
}

int arm_read(struct arm *x, struct recording *r, rec_cts *cts)
{
	int n = 0;
	for (size_t i = 0; i < x->n; i++)
		n += nfstream_read(&x->v[i].s, r, cts);
	return n;
}

uint64_t arm_lost(const struct arm *x)
{
	uint64_t n = 0;
	for (size_t i = 0; i < x->n; i++)
		n += x->v[i].s.lost;
	return n;
}

/* ---- off ---------------------------------------------------------------------------------------
 */

static void off_one(struct arm *x, size_t i, struct tool *t, struct err *err)
{
	struct arm_ns *a = &x->v[i];
	struct err e = {0};
	if (a->world == ARM_NFT && nftable_remove(&a->s, &e) < 0)
		*err = e;
	if (a->log_old[0] && set_log(a->log_old, &e) < 0)
		*err = e;
	/* raw: this kernel has no nf_tables, so a freeze is legacy too */
	_strbuf_ struct strbuf text = STRBUF_INIT;
	if (a->raw)
		strbuf_adds(&text, raw_off);
	if (a->freeze)
		strbuf_adds(&text, freeze_off);
	const char *how = a->freeze ? a->freeze : "legacy";
	if (text.len && restore_start(t, x->lab, how, strbuf_str(&text), &e) < 0)
		*err = e;
	nfstream_close(&a->s);
	a->world = ARM_NONE;
	a->log_old[0] = '\0';
}

void arm_off(struct arm *x)
{
	_nlns_ struct nlns home = NLNS_INIT;
	_free_ struct tool *tools = calloc(x->n ? x->n : 1, sizeof(*tools));
	struct err err = {0};
	for (size_t i = 0; tools && i < x->n; i++)
		if (x->v[i].s.sk && nlns_enter(&home, x->netns[i], &err) == 0)
			off_one(x, i, &tools[i], &err);
	for (size_t i = 0; tools && i < x->n; i++)
		if (tools[i].pid > 0 && restore_wait(&tools[i], &err) < 0)
			log_warn("lab %s: %s", x->lab->name, err.text);
	if (err.code)
		log_warn("lab %s: ending a trace: %s", x->lab->name, err.text);
	else if (x->file >= 0 && ftruncate(x->file, 0) < 0)
		log_warn("lab %s: " ARM_FILE ": %s", x->lab->name, strerror(errno));
}

/* How many rules of ours come first in a chain. */
static unsigned rules_before(const struct arm_ns *a, const struct rec_match *m)
{
	bool raw = strcmp(m->table, "raw") == 0, mangle = strcmp(m->table, "mangle") == 0;
	bool raw_base =
		raw && (strcmp(m->chain, "PREROUTING") == 0 || strcmp(m->chain, "OUTPUT") == 0);
	bool mangle_base =
		mangle && (strcmp(m->chain, "INPUT") == 0 || strcmp(m->chain, "FORWARD") == 0 ||
			   strcmp(m->chain, "POSTROUTING") == 0);
	unsigned n = 0;
	if (a->raw && raw_base)
		n++;
	if (a->freeze && (raw_base || mangle_base))
		n++;
	return n;
}

static bool is_own_chain(const char *chain)
{
	return strcmp(chain, RAW_CHAIN) == 0 || strcmp(chain, FREEZE_CHAIN) == 0 ||
	       strcmp(chain, HOLD_CHAIN) == 0 || strcmp(chain, FREED_CHAIN) == 0;
}

/* In nf_tables rules have handles; ours are those that were not there before. */
static bool is_own_handle(const struct recording *r, const struct rec_match *m)
{
	if (!m->handle || m->kind != REC_RULE)
		return false;
	vec_foreach (const struct rec_rule, rule, &r->ns.v[m->ns].rules)
		if (rule->handle == m->handle && strcmp(rule->table, m->table) == 0)
			return false;
	return true;
}

void arm_mend(const struct arm *x, struct recording *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->matches.n; i++) {
		struct rec_match m = r->matches.v[i];
		const struct arm_ns *a = &x->v[m.ns];
		unsigned before = rules_before(a, &m);
		if ((a->raw || a->freeze) && is_own_chain(m.chain))
			continue;
		if (before && (m.handle ? is_own_handle(r, &m) : m.num && m.num <= before))
			continue;
		if (!m.handle && m.num)
			m.num -= before;
		r->matches.v[n++] = m;
	}
	r->matches.n = n;
}

void arm_end(struct arm *x)
{
	if (x->v)
		arm_off(x);
	if (x->file >= 0)
		close(x->file);
	free(x->v);
	*x = (struct arm){.file = -1};
}

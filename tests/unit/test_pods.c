/* SPDX-License-Identifier: MIT */
/* Tests of labd/lab/pod_status.c and labd/kernel/proc_programs.c: how pods are, in kubelet's words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "labd/lab/pod_status.h"

static json_t *seen(const char *text)
{
	struct program_status v[PROC_PROGRAMS_MAX];
	json_t *all = json_object();
	pod_status_see(all, "n1-p", v, proc_programs_parse(text, v, PROC_PROGRAMS_MAX));
	return all;
}

static enum pod_condition condition(const char *text)
{
	json_t *all = seen(text);
	enum pod_condition r = pod_status_condition(json_object_get(all, "n1-p"));
	json_decref(all);
	return r;
}

static void test_parse(void **state)
{
	struct program_status v[2];
	assert_int_equal(proc_programs_parse("", v, 2), 0);
	assert_int_equal(proc_programs_parse("c running 1 2\n\nc flies 1 1 1 1 1 1\n"
					     "c running 1 -2 1 1 1 1\n",
					     v, 2),
			 0);
	assert_int_equal(proc_programs_parse("c waiting 3 100 120 110 139 20\n"
					     "d running 4000000000 100 0 0 0 0\n"
					     "e running 0 100 0 0 0 0\n",
					     v, 2),
			 2);
	assert_string_equal(v[0].name, "c");
	assert_int_equal(v[0].state, PROGRAM_WAITING);
	assert_int_equal(v[0].restarts, 3);
	assert_int_equal(v[0].ended, 120);
	assert_int_equal(v[0].ended_started, 110);
	assert_int_equal(v[0].code, 139);
	assert_int_equal(v[0].wait, 20);
	assert_int_equal(v[1].restarts, MAX_RESTARTS);
	char line[2000];
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(proc_programs_parse(line, v, 2), 0);
}

static void test_condition(void **state)
{
	assert_int_equal(pod_status_condition(NULL), POD_READY);
	assert_int_equal(condition("c running 1 9 8 7 1 0\n"), POD_READY);
	/* started again at once */
	assert_int_equal(condition("c waiting 0 9 9 7 1 0\n"), POD_READY);
	assert_int_equal(condition("c waiting 1 9 9 7 1 10\nd running 0 1 0 0 0 0\n"),
			 POD_NOT_READY);
	assert_int_equal(condition("c ended 0 9 9 7 0 -1\nd running 0 1 0 0 0 0\n"), POD_NOT_READY);
	assert_int_equal(condition("c ended 0 9 9 7 0 -1\nd waiting 0 1 0 0 1 10\n"),
			 POD_NOT_READY);
	assert_int_equal(condition("c ended 0 9 9 7 0 -1\nd ended 0 1 2 0 0 -1\n"), POD_SUCCEEDED);
	assert_int_equal(condition("c ended 0 9 9 7 0 -1\nd ended 0 1 2 0 2 -1\n"), POD_FAILED);
}

static void assert_container(const json_t *all, const char *want)
{
	const struct pod_container c = {
		.name = "c", .image = "i", .pod = "p_ns(uid)", .before = 2, .created = 50};
	json_t *o = pod_status_container(json_object_get(all, "n1-p"), &c);
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, want);
	free(text);
	json_decref(o);
}

#define AT(s) "\"1970-01-01T00:" s "Z\""

static void test_container(void **state)
{
	json_t *all = json_object();
	assert_container(
		all, "{\"image\":\"i\",\"lastState\":{\"terminated\":{\"exitCode\":0,"
		     "\"finishedAt\":" AT("00:50") ",\"reason\":\"Completed\",\"startedAt\":" AT(
			     "00:50") "}},\"name\":\"c\",\"ready\":true,\"restartCount\":2,"
				      "\"started\":true,\"state\":{\"running\":{"
				      "\"startedAt\":" AT("00:50") "}}}");
	json_decref(all);
	all = seen("c waiting 3 100 120 110 1 80\n");
	assert_container(
		all,
		"{\"image\":\"i\",\"lastState\":{\"terminated\":{\"exitCode\":1,"
		"\"finishedAt\":" AT("02:00") ",\"reason\":\"Error\",\"startedAt\":" AT(
			"01:50") "}},\"name\":\"c\",\"ready\":false,\"restartCount\":5,"
				 "\"started\":false,\"state\":{\"waiting\":{\"message\":"
				 "\"back-off 1m20s restarting failed container=c pod=p_ns(uid)\","
				 "\"reason\":\"CrashLoopBackOff\"}}}");
	/* the sandbox dies: what was counted stays, and one more */
	pod_status_again(all, "n1-p", 130);
	assert_container(
		all, "{\"image\":\"i\",\"lastState\":{\"terminated\":{\"exitCode\":137,"
		     "\"finishedAt\":" AT("02:10") ",\"reason\":\"Error\",\"startedAt\":" AT(
			     "00:50") "}},\"name\":\"c\",\"ready\":true,\"restartCount\":6,"
				      "\"started\":true,\"state\":{\"running\":{\"startedAt\":" AT(
					      "02:10") "}}}");
	json_decref(all);
	all = seen("c ended 0 100 120 110 0 -1\n");
	assert_container(all, "{\"image\":\"i\",\"name\":\"c\",\"ready\":false,\"restartCount\":2,"
			      "\"started\":false,\"state\":{\"terminated\":{\"exitCode\":0,"
			      "\"finishedAt\":" AT("02:00") ",\"reason\":\"Completed\","
							    "\"startedAt\":" AT("01:50") "}}}");
	json_decref(all);
}

static void test_told(void **state)
{
	struct program_status v[1];
	json_t *all = seen("c running 1 9 8 7 1 0\n");
	assert_false(pod_status_untold(all));
	assert_true(pod_status_see(all, "n1-q", v,
				   proc_programs_parse("c waiting 1 9 9 7 1 10\n", v, 1)));
	assert_false(pod_status_see(all, "n1-q", v, 1));
	assert_true(pod_status_untold(all));
	pod_status_told(all);
	assert_false(pod_status_untold(all));
	pod_status_again(all, "n1-q", 10);
	assert_true(pod_status_untold(all));
	pod_status_told(all);
	pod_status_killed(all, "n1-q", "c", 11);
	assert_int_equal(pod_status_condition(json_object_get(all, "n1-q")), POD_FAILED);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_condition),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

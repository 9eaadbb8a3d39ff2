#include "episode.h"

static const char *episode_text(const json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

static enum finding_severity episode_severity(const json_t *value)
{
    return finding_severity_parse(episode_text(value, "severity"));
}

/* Where a severity was first reached, the window that reached it is kept: windows count from there
 * on. */
static void episode_reach(json_t *episode, enum finding_severity severity, const json_t *alert)
{
    json_t *since = json_object_get(episode, "since");
    while (json_array_size(since) < (size_t)severity)
        (void)json_array_append(since, json_object_get(alert, "window_end"));
    if (severity > episode_severity(episode))
        (void)json_object_set_new(episode, "severity",
                                  json_string(finding_severity_name(severity)));
}

json_t *episode_take(json_t *episode, const json_t *alert)
{
    if (episode == NULL) {
        episode = json_pack("{s:O, s:O, s:O, s:O, s:s, s:[], s:[], s:[]}", "model",
                            json_object_get(alert, "model"), "version",
                            json_object_get(alert, "version"), "role",
                            json_object_get(alert, "role"), "kind", json_object_get(alert, "kind"),
                            "severity", "NONE", "columns", "since", "counted");
        ENSURE(episode != NULL);
    }
    (void)json_object_set(episode, "columns", json_object_get(alert, "columns"));
    episode_reach(episode, episode_severity(alert), alert);
    return episode;
}

bool episode_condition(const char *when, enum finding_kind kind,
                       enum finding_severity *out_severity)
{
    const char *dot = strrchr(when, '.');
    const char *class_name = finding_kind_class(kind);
    if (dot == NULL || strlen(class_name) != (size_t)(dot - when) ||
        strncmp(class_name, when, strlen(class_name)) != 0)
        return false;
    *out_severity = finding_severity_parse(dot + 1);
    return *out_severity != SEVERITY_NONE;
}

json_t *episode_counted(const json_t *episode, const char *when)
{
    size_t index = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(episode, "counted"), index,
                       one) if (strcmp(episode_text(one, "when"), when) == 0) return one;
    return NULL;
}

static bool episode_names(const json_t *episode, const char *column)
{
    size_t index = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(episode, "columns"), index,
                       one) if (strcmp(json_string_value(one), column) == 0) return true;
    return false;
}

/* The window as it counts: what in it was beyond its bound and reached the severity. NULL: nothing.
 * out_decided: a column of the alert was decided in it. */
static json_t *episode_window(const json_t *episode, enum finding_severity severity,
                              const struct finding *findings, size_t count, bool *out_decided)
{
    json_t *window = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct finding *finding = &findings[i];
        if (!finding->decided || !episode_names(episode, finding->column))
            continue;
        *out_decided = true;
        if (!finding->breach || finding->severity < severity)
            continue;
        if (window == NULL)
            window = json_pack("{s:I, s:I, s:[], s:[]}", "start", (json_int_t)finding->start_ms,
                               "end", (json_int_t)finding->end_ms, "measurements", "offsets");
        (void)json_array_append_new(json_object_get(window, "measurements"),
                                    json_string(finding->id));
        finding_offsets_join(json_object_get(window, "offsets"),
                             json_object_get(finding->record, "offsets"));
    }
    return window;
}

bool episode_count(json_t *episode, const char *when, int32_t windows,
                   const struct finding *findings, size_t count)
{
    REQUIRE(count > 0);
    enum finding_severity severity = SEVERITY_NONE;
    bool decided = false;
    if (!episode_condition(when, findings[0].kind, &severity))
        return false;
    const json_t *since = json_array_get(json_object_get(episode, "since"), (size_t)severity - 1);
    json_t *counted = episode_counted(episode, when);
    if (since == NULL || findings[0].end_ms < json_integer_value(since))
        return false;
    if (counted != NULL &&
        (json_is_true(json_object_get(counted, "triggered")) ||
         findings[0].end_ms <= json_integer_value(json_object_get(counted, "decided_end"))))
        return false;
    json_t *window = episode_window(episode, severity, findings, count, &decided);
    if (!decided)
        return false;
    if (counted == NULL) {
        counted = json_pack("{s:s, s:I, s:[], s:b, s:b}", "when", when, "decided_end",
                            (json_int_t)INT64_MIN, "windows", "refused", 0, "triggered", 0);
        (void)json_array_append_new(json_object_get(episode, "counted"), counted);
    }
    (void)json_object_set_new(counted, "decided_end", json_integer(findings[0].end_ms));
    json_t *list = json_object_get(counted, "windows");
    if (window == NULL) {
        (void)json_array_clear(list);
        return false;
    }
    (void)json_array_append_new(list, window);
    const size_t needed = windows < 1 ? 1 : (size_t)windows;
    while (json_array_size(list) > needed) /* refused before: the newest windows speak */
        (void)json_array_remove(list, 0);
    return json_array_size(list) == needed;
}

bool episode_is_refused(const json_t *episode, const char *when)
{
    return json_is_true(json_object_get(episode_counted(episode, when), "refused"));
}

void episode_refuse(json_t *episode, const char *when)
{
    (void)json_object_set_new(episode_counted(episode, when), "refused", json_true());
}

void episode_trigger(json_t *episode, const char *when)
{
    json_t *counted = episode_counted(episode, when);
    (void)json_object_set_new(counted, "triggered", json_true());
    (void)json_array_clear(json_object_get(counted, "windows"));
}

bool episode_breaks_data(const json_t *episode, const char *model)
{
    const enum finding_kind kind = finding_kind_parse(episode_text(episode, "kind"));
    return kind != FINDING_NONE && strcmp(finding_kind_class(kind), "quality") == 0 &&
           episode_severity(episode) == SEVERITY_CRITICAL &&
           strcmp(episode_text(episode, "model"), model) == 0;
}

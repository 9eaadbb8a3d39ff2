#include "letter_value.h"
#include "avro/datum.h"
#include "avro/wire.h"
#include "services/validator/source_json.h"

static void read_avro(const struct catalog *catalog, struct span body, struct letter_value *value)
{
    const struct schema *schema = catalog_schema(catalog, value->fingerprint);
    if (schema == NULL)
        reason_set(&value->trouble, "no schema is known for %016llx",
                   (unsigned long long)value->fingerprint);
    else if (datum_decode(schema, body, &value->json, &value->trouble) != FAULT_NONE)
        value->json = NULL;
}

void letter_value_read(const struct catalog *catalog, struct span bytes,
                       struct letter_value *out_value)
{
    *out_value = (struct letter_value){.trouble = {""}};
    struct span body;
    if (bytes.bytes == NULL) {
        reason_set(&out_value->trouble, "there is none");
        return;
    }
    if (wire_read_frame(bytes, &out_value->fingerprint, &body)) {
        out_value->framing = LETTER_FRAMING_SINGLE_OBJECT;
        read_avro(catalog, body, out_value);
        return;
    }
    struct rejection rejection = {.column = ""};
    if (source_json_parse(bytes, &out_value->json, &rejection)) {
        out_value->framing = LETTER_FRAMING_JSON;
        return;
    }
    out_value->json = NULL;
    reason_set(&out_value->trouble, "%s", rejection.detail.text);
}

const char *letter_value_model(const struct letter_value *value)
{
    return json_string_value(json_object_get(value->json, "model_name"));
}

void letter_value_fini(struct letter_value *value)
{
    json_decref(value->json);
    value->json = NULL;
}

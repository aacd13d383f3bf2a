/* python.c - what the codec takes from Python: classes, slots, functions, names. */

#include "speed.h"

#include <structmember.h>

#ifdef SPEED_APART
globals_t g;
#endif

static PyObject *take(const char *module, const char *name)
{
    PyObject *m = PyImport_ImportModule(module);
    PyObject *found = m ? PyObject_GetAttrString(m, name) : NULL;
    Py_XDECREF(m);
    return found;
}

static int take_type(PyTypeObject **where, const char *name)
{
    *where = (PyTypeObject *)take("tape.codecs.fressian.types", name);
    return *where ? 0 : -1;
}

/* Where an object of a slotted class keeps an attribute. */
static int slot_offset(PyTypeObject *type, const char *name, Py_ssize_t *offset)
{
    PyObject *slot = PyObject_GetAttrString((PyObject *)type, name);
    if (!slot)
        return -1;
    int ok = Py_TYPE(slot) == &PyMemberDescr_Type;
    if (ok)
        *offset = ((PyMemberDescrObject *)slot)->d_member->offset;
    else
        PyErr_Format(PyExc_ImportError, "%s.%s is no slot", type->tp_name, name);
    Py_DECREF(slot);
    return ok ? 0 : -1;
}

static int take_types(void)
{
    return take_type(&g.Keyword, "Keyword") || take_type(&g.Symbol, "Symbol") ||
           take_type(&g.BigInt, "BigInt") || take_type(&g.Float32, "Float32") ||
           take_type(&g.Char, "Char") || take_type(&g.URI, "URI") ||
           take_type(&g.Regex, "Regex") || take_type(&g.Instant, "Instant") ||
           take_type(&g.FrozenMap, "FrozenMap") || take_type(&g.Record, "Record") ||
           take_type(&g.TaggedValue, "TaggedValue") || take_type(&g.BoolArray, "BoolArray") ||
           take_type(&g.ObjectArray, "ObjectArray") || take_type(&g.Cached, "Cached");
}

static int take_slots(void)
{
    return slot_offset(g.Keyword, "ns", &g.o_keyword_ns) ||
           slot_offset(g.Keyword, "name", &g.o_keyword_name) ||
           slot_offset(g.Symbol, "ns", &g.o_symbol_ns) ||
           slot_offset(g.Symbol, "name", &g.o_symbol_name) ||
           slot_offset(g.Char, "unit", &g.o_char) || slot_offset(g.URI, "text", &g.o_uri) ||
           slot_offset(g.Regex, "text", &g.o_regex) ||
           slot_offset(g.Instant, "ms", &g.o_instant) ||
           slot_offset(g.FrozenMap, "_items", &g.o_map_items) ||
           slot_offset(g.FrozenMap, "_hash", &g.o_map_hash) ||
           slot_offset(g.Record, "type_name", &g.o_record_name) ||
           slot_offset(g.Record, "fields", &g.o_record_fields) ||
           slot_offset(g.TaggedValue, "tag", &g.o_tagged_tag) ||
           slot_offset(g.TaggedValue, "values", &g.o_tagged_values) ||
           slot_offset(g.Cached, "value", &g.o_cached);
}

static int take_functions(void)
{
    g.END = take("tape.codecs.fressian._options", "END");
    g.split = take("tape.codecs.fressian.types", "_split");
    g.code_of_tag = take("tape.codecs.fressian.codes", "CODE_OF_TAG");
    g.DecodeError = take("tape.errors", "DecodeError");
    return PyErr_Occurred() ? -1 : 0;
}

#define CONVERT "tape.codecs.fressian._convert"
#define WRITER "tape.codecs.fressian._writer"

/* Modules such as decimal, re and uuid take longer to import than most programs spend in the
 * codec; what needs them comes from here. */
SHARED PyObject *take_late(PyObject **where)
{
    static const struct {
        PyObject **where;
        const char *module, *name;
    } all[] = {
        {&g.bigint_bytes, CONVERT, "bigint_bytes"}, {&g.instant_ms, CONVERT, "instant_ms"},
        {&g.decimal_parts, CONVERT, "decimal_parts"}, {&g.make_decimal, CONVERT, "make_decimal"},
        {&g.ratio_parts, CONVERT, "ratio_parts"}, {&g.make_ratio, CONVERT, "make_ratio"},
        {&g.uri_text, CONVERT, "uri_text"}, {&g.pattern_text, CONVERT, "pattern_text"},
        {&g.array_parts, CONVERT, "array_parts"}, {&g.numpy_parts, CONVERT, "numpy_parts"},
        {&g.numpy_scalar, CONVERT, "numpy_scalar"}, {&g.make_array, CONVERT, "make_array"},
        {&g.make_numpy, CONVERT, "make_numpy"}, {&g.cache_key, CONVERT, "cache_key"},
        {&g.freeze, CONVERT, "freeze"}, {&g.run_reader, CONVERT, "run_reader"},
        {&g.encode_error, CONVERT, "encode_error"}, {&g.keys_clash, CONVERT, "keys_clash"},
        {&g.leaves, CONVERT, "_LEAVES"},
        {&g.sorted_members, WRITER, "sorted_members"}, {&g.sorted_items, WRITER, "sorted_items"},
        {&g.Decimal, "decimal", "Decimal"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].where == where) {
            PyObject *taken = take(all[i].module, all[i].name);
            if (!taken)
                return NULL;
            Py_XSETREF(*where, taken);      /* user code of the import may have been here */
            return taken;
        }
    PyErr_SetString(PyExc_SystemError, "the Fressian codec does not know where to find a part");
    return NULL;
}

/* The class UUID and where its objects keep their number, when the first one comes. */
SHARED int take_uuid(void)
{
    if (g.UUID)
        return 0;
    PyObject *safe = take("uuid", "SafeUUID"), *uuid = take("uuid", "UUID");
    PyObject *unknown = safe ? PyObject_GetAttrString(safe, "unknown") : NULL;
    Py_XDECREF(safe);
    if (!unknown || !uuid || slot_offset((PyTypeObject *)uuid, "int", &g.o_uuid_int) ||
        slot_offset((PyTypeObject *)uuid, "is_safe", &g.o_uuid_safe)) {
        Py_XDECREF(unknown);
        Py_XDECREF(uuid);
        return -1;
    }
    g.uuid_unknown = unknown;
    g.UUID = uuid;                          /* last: it says that the others are there */
    return 0;
}

static int take_strings(void)
{
    static const struct {
        PyObject **where;
        const char *text;
    } strings[] = {
        {&g.s_items, "items"}, {&g.s_offset, "offset"}, {&g.s_index, "index"}, {&g.s_key, "key"},
        {&g.s_member, "member"}, {&g.s_field, "field"}, {&g.s_map, "map"}, {&g.s_set, "set"},
        {&g.s_record, "record"}, {&g.s_ratio, "ratio"}, {&g.s_char, "char"},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        if (!(*strings[i].where = PyUnicode_InternFromString(strings[i].text)))
            return -1;
    return 0;
}

SHARED int take_python(void)
{
    return take_types() || take_functions() || take_slots() || take_strings() ? -1 : 0;
}

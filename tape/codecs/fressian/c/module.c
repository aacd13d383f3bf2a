/* module.c - the extension module tape.codecs.fressian._speed: its types and its capsule.
 *
 *   Codec(options)            .encode(obj) .decode(view) .encoder() .decoder(data, checksum)
 *   Encoder                   .write(obj, cache) .tag(tag, count) .reset()
 *   Decoder                   .next() .footer() .at_footer() .pos
 *   _capsule                  for another extension: lane.h
 *
 * The codec is the twin of _writer.py and _reader.py, which are its oracle. */

#include "speed.h"

static struct PyModuleDef speed_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tape.codecs.fressian._speed",
    .m_doc = "The Fressian codec in C; use it through tape.codecs.fressian.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__speed(void)
{
    if (take_python() || take_streams() || PyType_Ready(&codec_type))
        return NULL;
    PyObject *module = PyModule_Create(&speed_module), *capsule = lane_capsule();
    if (!module || !capsule || PyModule_AddObjectRef(module, "Codec", (PyObject *)&codec_type) ||
        PyModule_AddObjectRef(module, "_capsule", capsule))
        Py_CLEAR(module);
    Py_XDECREF(capsule);
    return module;
}

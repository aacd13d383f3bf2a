(ns tape.peer.values
  "Values between EDN text and Fressian bytes, by data.fressian and nothing else."
  (:require [clojure.data.fressian :as fressian]
            [clojure.edn :as edn]
            [clojure.string :as string])
  (:import (java.nio ByteBuffer)
           (java.util HexFormat)
           (org.fressian TaggedObject)))

(set! *warn-on-reflection* true)

;; ---- EDN text to bytes

(defn- bytes-of [^ByteBuffer buffer]
  (let [bytes (byte-array (.remaining buffer))]
    (.get buffer bytes)
    bytes))

(defn- from-hex [^String text]
  (.parseHex (HexFormat/of) text))

(def ^:private readers
  "EDN has no bytes: #bytes \"00ff\"."
  {'bytes from-hex})

(defn encode [text]
  (bytes-of (fressian/write (edn/read-string {:readers readers} text))))

(defn encode-evaluated
  "For values without a notation in EDN: (float 1.5), (int-array [1 2]), #\"regex\"."
  [text]
  (bytes-of (fressian/write (eval (read-string text)))))

;; ---- bytes to EDN text

(defn- one-line
  "pr-str leaves line ends as they are in strings, and lone halves of surrogate pairs cannot
  be sent as UTF-8: both are written as escapes."
  [text]
  (-> text
      (string/replace "\n" "\\n")
      (string/replace "\r" "\\r")
      (string/replace #"[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]"
                      #(format "\\u%04x" (int (first %))))))

(defmulti ^:private show
  "Text of a decoded value. Types that pr-str prints as an address get a tag of their own."
  class)

(defn- show-all [left texts right]
  (str left (string/join " " texts) right))

(defmethod show :default [value] (one-line (pr-str value)))
(defmethod show nil [_] "nil")
(defmethod show Float [value] (str "#float " value))
(defmethod show java.net.URI [value] (str "#uri " (pr-str (str value))))

(defmethod show java.util.List [value] (show-all "[" (map show value) "]"))
(defmethod show java.util.Set [value] (show-all "#{" (sort (map show value)) "}"))
(defmethod show java.util.Map [value]
  (show-all "{" (mapcat (fn [[k v]] [(show k) (show v)]) value) "}"))

(defmethod show TaggedObject [^TaggedObject value]
  (str "#tagged " (show-all "[" (cons (show (.getTag value)) (map show (.getValue value))) "]")))

(defmethod show (class (byte-array 0)) [^bytes value]
  (str "#bytes \"" (.formatHex (HexFormat/of) value) "\""))

(doseq [[tag array] {"ints" (int-array 0), "longs" (long-array 0), "floats" (float-array 0),
                     "doubles" (double-array 0), "booleans" (boolean-array 0),
                     "objects" (object-array 0)}]
  (defmethod show (class array) [value]
    (str "#" tag " " (show-all "[" (map show value) "]"))))

(defn decode [^bytes bytes]
  (show (fressian/read (ByteBuffer/wrap bytes))))

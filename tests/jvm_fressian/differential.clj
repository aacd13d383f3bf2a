;; The JVM half of tests/with_jvm/test_fressian.py.
;;
;;   generate COUNT SEED OUT   writes COUNT random values with data.fressian
;;   read IN OUT               reads streams, says what each object is
;;
;; Files hold blocks: four bytes of length, then the bytes. `generate` writes two blocks for each
;; value: its encoding and its canonical text. `read` writes one block for each block it gets.
;; The canonical text names type and content; both sides make it by themselves.
(ns tape.diff
  (:require [clojure.data.fressian :as fress] [clojure.string :as string])
  (:import [java.io BufferedInputStream BufferedOutputStream ByteArrayInputStream
            DataInputStream DataOutputStream EOFException FileInputStream FileOutputStream]
           [java.util Date List Map Random Set UUID]
           [java.util.regex Pattern]
           [org.fressian TaggedObject]))

(defrecord Point [x y])
(defrecord Order-Line [sku quantity price])

;; -- canonical text

(defn hex-text [^String s]
  (let [sb (StringBuilder.)]
    (dotimes [i (.length s)] (.append sb (format "%04x" (int (.charAt s i)))))
    (str sb)))

(defn hex-long-text [^String s]
  (if (< (.length s) 2000)
    (hex-text s)
    (str "#" (.length s) ":" (.hashCode s))))

(defn hex-bytes [^bytes b]
  (if (< (alength b) 2000)
    (string/join (map #(format "%02x" (bit-and 255 %)) b))
    (str "#" (alength b) ":" (java.util.Arrays/hashCode b))))

(defn double-bits [d] (format "%016x" (Double/doubleToLongBits (if (== d 0.0) 0.0 (double d)))))
(defn float-bits [f] (format "%08x" (Float/floatToIntBits f)))

(declare canon)

(defn canon-name [kind ns nm]
  (str kind (if (nil? ns) "-" (hex-text ns)) "/" (hex-text nm)))

(defn canon-pairs [pairs] (map (fn [[k v]] (str (canon k) " " (canon v))) pairs))

(defn canon [x]
  (cond
    (nil? x) "n"
    (boolean? x) (if x "t" "f")
    (instance? clojure.lang.BigInt x) (str "I" (.toString ^Object x))
    (instance? BigInteger x) (str "I" x)
    (integer? x) (str "i" x)
    (instance? Double x) (str "d" (double-bits x))
    (instance? Float x) (str "g" (float-bits x))
    (instance? BigDecimal x) (str "M" (.unscaledValue ^BigDecimal x) "," (.scale ^BigDecimal x))
    (ratio? x) (str "r" (numerator x) "," (denominator x))
    (string? x) (str "s" (hex-long-text x))
    (char? x) (str "c" (int x))
    (keyword? x) (canon-name "k" (namespace x) (name x))
    (symbol? x) (canon-name "y" (namespace x) (name x))
    (instance? Date x) (str "@" (.getTime ^Date x))
    (instance? UUID x) (str "u" x)
    (instance? java.net.URI x) (str "U" (hex-text (str x)))
    (instance? Pattern x) (str "R" (hex-text (str x)))
    (record? x) (str "<" (.getName (class x)) " " (string/join "," (canon-pairs (seq x))) ">")
    (instance? TaggedObject x)
    (let [t ^TaggedObject x]
      (str "T(" (canon (.getTag t)) " " (string/join " " (map canon (.getValue t))) ")"))
    (instance? Map x) (str "{" (string/join "," (sort (canon-pairs (seq x)))) "}")
    (instance? Set x) (str "#{" (string/join " " (sort (map canon x))) "}")
    (instance? List x) (str "(" (string/join " " (map canon x)) ")")
    (bytes? x) (str "b" (hex-bytes x))
    (instance? (Class/forName "[I") x) (str "[i" (string/join "," x) "]")
    (instance? (Class/forName "[J") x) (str "[l" (string/join "," x) "]")
    (instance? (Class/forName "[F") x) (str "[f" (string/join "," (map float-bits x)) "]")
    (instance? (Class/forName "[D") x) (str "[d" (string/join "," (map double-bits x)) "]")
    (instance? (Class/forName "[Z") x) (str "[z" (string/join "," (map #(if % "t" "f") x)) "]")
    (instance? (Class/forName "[Ljava.lang.Object;") x)
    (str "[o" (string/join " " (map canon x)) "]")
    :else (throw (ex-info "no canonical text" {:class (class x)}))))

;; -- random values

(def ^Random rng (Random.))
(defn below [n] (.nextInt rng (int n)))
(defn pick [xs] (nth xs (below (count xs))))

(defn rand-long []
  (case (int (below 6))
    0 (long (- (below 200) 80))
    1 (long (- (below 20000) 10000))
    2 (bit-shift-right (.nextLong rng) (below 63))
    3 (+ (bit-shift-left 1 (pick [12 19 25 33 41 49])) (- (below 3) 2))
    4 (- (- (bit-shift-left 1 (pick [12 19 25 33 41 49]))) (- (below 3) 1))
    (.nextLong rng)))

(defn rand-unit []
  (char (case (int (below 8))
          (0 1 2 3) (+ 32 (below 95))
          4 (below 128)
          5 (+ 128 (below 1920))
          6 (+ 0xD800 (below 2048))
          (below 65536))))

(defn rand-string []
  (if (zero? (below 100))
    (let [n (+ 65520 (below 32))
          c (pick ["a" "\u00e9" "\u20ac" "\ud83d\ude00"])]
      (str (string/join (repeat (pick [n (* 3 n) (* 3 n)]) "a")) c c (rand-unit)))
    (let [n (pick [0 1 2 3 5 7 8 9 20 40])]
      (if (< (below 3) 2)
        (string/join (repeatedly n #(char (+ 97 (below 26)))))
        (string/join (repeatedly n rand-unit))))))

(defn rand-part [] (pick ["a" "b" "foo" "order" "id" "event" "x" "y" "long-name-of-a-thing" "é"]))
(defn wide-part [] (str "n" (below 300)))
(defn rand-ns [] (pick [nil nil "my.ns" "order" "a"]))
(defn rand-key [] (keyword (rand-ns) (if (zero? (below 4)) (wide-part) (rand-part))))
(defn rand-bytes [n] (let [b (byte-array n)] (.nextBytes rng b) b))
(defn rand-big [] (BigInteger. (int (inc (below 200))) rng))
(defn signed [^BigInteger n] (if (.nextBoolean rng) n (.negate n)))

(defn rand-double []
  (case (int (below 5))
    0 0.0
    1 1.0
    2 (pick [Double/NaN Double/POSITIVE_INFINITY Double/NEGATIVE_INFINITY -1.5 Double/MIN_VALUE])
    (.nextGaussian rng)))

(defn rand-scalar []
  (case (int (below 24))
    0 nil
    1 true
    2 false
    (3 4) (rand-long)
    (5 6) (rand-double)
    7 (float (.nextGaussian rng))
    (8 9) (rand-string)
    (10 11) (rand-key)
    12 (symbol (rand-ns) (rand-part))
    13 (char (pick [(below 128) (below 65536)]))
    14 (bigint (signed (rand-big)))
    15 (BigDecimal. ^BigInteger (signed (rand-big)) (int (- (below 60) 30)))
    16 (let [d (.add ^BigInteger (rand-big) BigInteger/TWO)
             r (/ (bigint (signed (rand-big))) (bigint d))]
         r)
    17 (Date. (long (pick [(below 1000000) (bit-shift-right (.nextLong rng) 20)
                           (.nextLong rng)])))
    18 (UUID. (.nextLong rng) (.nextLong rng))
    19 (java.net.URI. (pick ["http://example.com/a?b=c#d" "urn:x:y" "" "a/b" "mailto:a@b"
                             "http://[::1]:80/" "file:///%20"]))
    20 (re-pattern (pick ["a+b*" "(?i)\\p{L}+" "[a-z&&[^b]]" ""]))
    21 (rand-bytes (if (zero? (below 50)) (+ 65530 (below 140000)) (below 12)))
    22 (pick [(bigint (below 100)) (BigDecimal. "1.00") 1M])
    (rand-long)))

(declare rand-value)

(defn rand-member [depth]
  (if (or (zero? depth) (pos? (below 5)))
    (let [x (rand-scalar)]
      (if (or (bytes? x) (instance? Pattern x) (and (number? x) (Double/isNaN (double x)))) 7 x))
    (case (int (below 3))
      0 (vec (repeatedly (below 3) #(rand-member (dec depth))))
      1 (into {} (repeatedly (below 3) (fn [] [(rand-member 0) (rand-member (dec depth))])))
      (into #{} (repeatedly (below 3) #(rand-member 0))))))

(defn rand-array [depth]
  (let [n (below 5)]
    (case (int (below 6))
      0 (int-array (repeatedly n #(.nextInt rng)))
      1 (long-array (repeatedly n rand-long))
      2 (float-array (repeatedly n #(.nextFloat rng)))
      3 (double-array (repeatedly n rand-double))
      4 (boolean-array (repeatedly n #(.nextBoolean rng)))
      (object-array (repeatedly n #(rand-value (dec depth)))))))

(defn rand-value [depth]
  (if (or (zero? depth) (zero? (below 3)))
    (rand-scalar)
    (case (int (below 9))
      (0 1) (vec (repeatedly (pick [0 1 3 7 8 9 12]) #(rand-value (dec depth))))
      (2 3) (into {} (repeatedly (pick [0 1 2 4 9])
                                 (fn [] [(rand-key) (rand-value (dec depth))])))
      4 (into {} (repeatedly (below 5)
                             (fn [] [(rand-member (dec depth)) (rand-value (dec depth))])))
      5 (into #{} (repeatedly (below 6) #(rand-member (dec depth))))
      6 (let [p (->Point (rand-value (dec depth)) (rand-value (dec depth)))]
          (pick [p (assoc p :extra (rand-long)) (->Order-Line "a" 1 2.5M)]))
      7 (rand-array depth)
      (let [tag (if (zero? (below 2)) "t" (str "tag/" (below 40)))]
        (TaggedObject. tag (object-array
                            (repeatedly (mod (hash tag) 3) #(rand-value (dec depth)))))))))

(defn wide-value []
  (case (int (below 3))
    0 (vec (repeatedly 60 #(keyword (wide-part))))
    1 (vec (for [i (range 60)] (TaggedObject. (str "w" (mod i 25)) (object-array [i]))))
    (vec (repeatedly 10 #(->Point (rand-long) (rand-key))))))

;; -- files

(defn write-block [^DataOutputStream out ^bytes b]
  (.writeInt out (alength b))
  (.write out b))

(defn read-block [^DataInputStream in]
  (let [b (byte-array (.readInt in))]
    (.readFully in b)
    b))

(defn fressian-bytes ^bytes [v]
  (let [buffer (fress/write v)
        b (byte-array (.remaining buffer))]
    (.get buffer b)
    b))

(defn read-stream [^bytes b]
  (let [reader (fress/create-reader (ByteArrayInputStream. b) :checksum? true)]
    (loop [texts []]
      (let [x (try [(fress/read-object reader)] (catch EOFException _ nil))]
        (if x (recur (conj texts (canon (first x)))) (string/join "\n" texts))))))

(defmacro open-out [path] `(DataOutputStream. (BufferedOutputStream. (FileOutputStream. ~path))))

(defn -main [command & args]
  (case command
    "generate"
    (let [[n seed path] args]
      (.setSeed rng (parse-long seed))
      (with-open [out (open-out path)]
        (dotimes [i (parse-long n)]
          (let [v (if (zero? (mod i 60)) (wide-value) (rand-value 4))]
            (write-block out (fressian-bytes v))
            (write-block out (.getBytes ^String (canon v) "UTF-8"))))))
    "read"
    (let [[in-path out-path] args]
      (with-open [in (DataInputStream. (BufferedInputStream. (FileInputStream. in-path)))
                  out (open-out out-path)]
        (while (pos? (.available in))
          (let [b (read-block in)]
            (write-block out (.getBytes (try (read-stream b)
                                             (catch Throwable t (str "failed: " t)))
                                        "UTF-8"))))))))

(apply -main *command-line-args*)

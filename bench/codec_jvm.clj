;; Microseconds per call of data.fressian on the JVM, after warm-up, for the order event.
;; java -cp CLASSPATH clojure.main bench/codec_jvm.clj prints:
;; strings write read keywords write read
(require '[clojure.data.fressian :as fress] '[clojure.walk :as walk])

(def event
  {"event/id" "550e8400-e29b-41d5-a775-afcd7d01e112" "event/type" "order/paid"
   "event/at" 1700000001234 "order/id" "A-1"
   "payment" {"method" "card" "amount" 129.95 "ok?" true}
   "lines" [{"sku" "sku-1" "quantity" 2 "price" 49.5} {"sku" "sku-2" "quantity" 1 "price" 30.95}]})

(defn median-us [f]
  (dotimes [_ 60000] (f))
  (let [times (sort (for [_ (range 41)]
                      (let [start (System/nanoTime)]
                        (dotimes [_ 2000] (f))
                        (/ (- (System/nanoTime) start) 2000000.0))))]
    (nth times 20)))

(doseq [value [event (walk/keywordize-keys event)]]
  (let [written (fress/write value)
        bytes (byte-array (.remaining written))]
    (.get written bytes)
    (println (median-us #(fress/write value))
             (median-us #(fress/read (java.nio.ByteBuffer/wrap bytes))))))
(System/exit 0)

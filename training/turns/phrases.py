"""What the synthetic voices of `spoken.py` say: nods, short words that are none, and what is neither."""

# ruff: noqa: RUF001 (Russian)

NODS = (
    "yeah", "yeah", "okay", "okay", "right", "yes", "yep", "uh-huh", "uh-huh", "aha", "hmm", "oh", "ah", "sure", "ok",
    "mhm", "mm-hmm", "um-hum", "I see", "alright", "yeah yeah", "oh yeah", "oh okay", "yeah right", "right right",
    "okay okay", "yes yes", "got it", "of course", "exactly", "ah okay", "oh I see", "mm yeah", "uh huh yeah", "yup",
    "good", "great", "cool", "fine", "true", "I know", "oh right", "okay great", "sure sure",
)  # fmt: skip
HUMS = (
    "mˈhm", "mˈhmː", "mhˈm", "əmhˈəm", "mˈm", "hˈm", "həm", "ʌmhˈʌm", "mː", "ˈʌhə", "ˈʌhˈʌ", "ˈəhə", "mhˈəm", "ˈʌmhʌm",
    "hmː", "ˈmːm", "ɐhˈɐ", "ˈɛ", "ˈɑː", "ˈoʊ", "ŋhˈŋ",
)  # fmt: skip
HUMS_OF_ESPEAK = (
    "[[m'hm]]", "[[mh'm]]", "[[@mh'@m]]", "[[m'm]]", "[[h'm:]]", "[[h@m]]", "[[m:]]", "[[Vmh'Vm]]", "[['VhV]]",
    "[['V_hV]]", "[[@h'@]]", "[[Vh'V]]", "[[a:h'a:]]", "[[m@h'Vm]]", "[[h'Vm]]",
)  # fmt: skip
WORDS = (
    "no", "no no", "stop", "wait", "wait a second", "hold on", "what", "but", "hey", "listen", "excuse me", "hello",
    "why", "sorry", "actually", "next", "cancel", "please stop", "thanks", "go back", "one", "two", "three", "four",
    "five", "seven", "nine", "ten", "hang on", "never mind", "repeat that", "tomorrow", "Monday", "help", "enough",
    "quiet", "be quiet", "louder", "pause", "I have a question", "can you", "what about", "who", "when", "where",
    "not that", "no thanks", "stop it", "shut up", "London", "Michael", "let me", "I mean", "I don't", "is it", "how",
    "okay but wait", "yeah but no", "yes I want", "right so what", "left", "down", "up", "go", "on", "off",
    "no", "stop", "wait", "no wait", "nope", "oh no", "oh wait", "ah but", "yes but", "okay so how", "right now",
    "yesterday", "I see a problem", "uh what", "hmm no", "well", "so", "then", "because", "maybe", "today", "music",
    "lights", "weather", "timer", "play", "open", "call me", "turn it off", "send", "find it", "could you", "tell me",
    "how about", "what's that", "where is", "is there", "do you", "let's", "show me", "that's wrong", "wrong", "again",
    "say that again", "slower", "six", "eight", "zero", "twelve", "twenty", "half", "red", "blue", "water", "coffee",
    "Tuesday", "Friday", "Berlin", "Paris", "Anna", "David", "Peter", "doctor", "money", "seven thirty", "skip",
    "skip it", "start over", "read it", "my name", "your turn", "not now", "later", "nothing", "something", "which one",
    "this one", "the first", "the last", "both", "neither", "light", "ride", "year", "key", "shoe", "week", "see you",
    "I can't", "I want", "I need", "we should", "you said", "but why", "why not", "what if", "no way", "hi", "please",
    "forget it", "mute", "volume", "yellow", "orange", "mother", "sister", "table", "window", "garden", "system",
    "delete", "confirm", "return", "agent", "operator", "human", "pizza", "ticket", "number", "address", "back", "home",
)  # fmt: skip
NOISES = (
    "achoo", "hatchoo", "atishoo", "ha ha", "ha ha ha", "hachoo", "ah-choo", "tshoo", "choo", "hehe", "hapchee",
    "etchee",
    "ahem", "ugh", "psst", "pff", "brr", "shh", "aaah choo", "hah chah", "ouch", "tss",
)  # fmt: skip
MORE_NODS = {
    "ca": ("sí", "clar", "val", "d'acord", "ja ja", "aha", "sí sí", "molt bé"),
    "cs": ("jo", "jasně", "dobře", "aha", "no jo", "hm", "jojo", "jistě"),
    "de": ("ja", "genau", "okay", "gut", "aha", "hm", "ach so", "stimmt", "klar", "jaja", "ja ja", "richtig",
           "alles klar"),
    "es": ("sí", "vale", "claro", "ajá", "sí sí", "ya", "bueno", "ah sí", "okey", "ya ya", "vale vale", "claro que sí",
           "exacto"),
    "fi": ("joo", "niin", "kyllä", "okei", "aivan", "juu", "ahaa", "joo joo", "selvä"),
    "fr": ("oui", "ouais", "d'accord", "ah oui", "ok", "hum hum", "voilà", "oui oui", "ah bon", "je vois", "mouais",
           "bien sûr", "très bien"),
    "hi": ("हाँ", "अच्छा", "जी", "ठीक है", "हम्म", "हाँ हाँ", "जी हाँ", "सही"),
    "it": ("sì", "va bene", "certo", "okay", "ah", "già", "sì sì", "esatto", "giusto", "ah ecco", "capito"),
    "ja": ("はい", "うん", "ええ", "そう", "なるほど", "うんうん", "はいはい", "そうか"),
    "nl": ("ja", "oké", "goed", "precies", "jaja", "klopt", "ja ja", "zeker", "juist"),
    "pl": ("tak", "dobrze", "no tak", "aha", "jasne", "tak tak", "rozumiem", "pewnie"),
    "pt": ("sim", "tá", "certo", "aham", "ok", "claro", "pois é", "sim sim", "tá bom", "entendi"),
    "ru": ("да", "угу", "ага", "хорошо", "ясно", "понятно", "да да", "конечно", "верно"),
    "sv": ("ja", "jaha", "okej", "precis", "just det", "visst", "mm", "ja ja"),
    "tr": ("evet", "tamam", "hı hı", "tabii", "aynen", "peki", "doğru"),
}  # fmt: skip
MORE_WORDS = {
    "ca": ("no", "espera", "para", "però", "què", "perdona", "un moment", "escolta", "per què", "ara", "tres", "quan"),
    "cs": ("ne", "počkej", "stop", "ale", "co", "proč", "promiňte", "moment", "kdy", "kde", "zítra", "tři", "ticho"),
    "de": ("nein", "halt", "warte", "Moment", "stopp", "was", "aber", "warum", "Entschuldigung", "und dann",
           "wie bitte",
           "wer", "wann", "wo", "drei", "sieben", "morgen", "leiser", "weiter", "zurück", "nein nein", "hör auf",
           "nicht"),
    "es": ("no", "espera", "para", "pero", "qué", "por qué", "perdona", "un momento", "basta", "oye", "dos", "tres",
           "cuándo", "dónde", "quién", "mañana", "más alto", "siguiente", "no no", "cállate", "siete", "hola", "cómo"),
    "fi": ("ei", "odota", "hetkinen", "mutta", "mitä", "miksi", "anteeksi", "seis", "kolme", "missä", "huomenna"),
    "fr": ("non", "attends", "stop", "mais", "quoi", "pourquoi", "pardon", "un instant", "arrête", "deux", "trois",
           "quand", "où ça", "qui", "demain", "plus fort", "suivant", "non non", "tais-toi", "sept", "bonjour",
           "comment"),
    "hi": ("नहीं", "रुको", "क्या", "लेकिन", "क्यों", "सुनो", "कब", "कहाँ", "कल", "तीन", "माफ़ करना"),
    "it": ("no", "aspetta", "ferma", "basta", "cosa", "ma", "perché", "scusa", "un momento", "quando", "dove", "chi",
           "domani", "tre", "sette", "avanti", "zitto", "ciao", "come"),
    "ja": ("いいえ", "待って", "でも", "何", "どうして", "すみません", "ちょっと", "いつ", "どこ", "だれ", "明日",
           "止めて"),
    "nl": ("nee", "wacht", "stop", "maar", "wat", "waarom", "sorry", "een moment", "wanneer", "drie", "morgen", "stil"),
    "pl": ("nie", "czekaj", "stop", "ale", "co", "dlaczego", "przepraszam", "kiedy", "gdzie", "jutro", "trzy", "cicho"),
    "pt": ("não", "espera", "pare", "mas", "o que", "por que", "desculpe", "um momento", "quando", "onde", "amanhã"),
    "ru": ("нет", "стой", "подожди", "но", "что", "почему", "извините", "хватит", "когда", "где", "завтра", "три",
           "тихо"),
    "sv": ("nej", "vänta", "stopp", "men", "vad", "varför", "ursäkta", "när", "tre", "imorgon", "tyst"),
    "tr": ("hayır", "bekle", "dur", "ama", "ne", "neden", "pardon", "üç", "yarın", "sus", "nasıl"),
}  # fmt: skip

"""What stands around the text of a page, in six languages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """Words of menus, buttons and notices."""

    menu: tuple[str, ...]
    share: tuple[str, ...]
    related: str
    most_read: str
    comments: str
    reply: str
    read_more: str
    tags: str
    by: str
    previous: str
    next: str
    contents: str
    newsletter: str
    cookies: str
    consent: tuple[str, ...]
    rights: str
    joined: str


LABELS = {
    "en": Labels(
        ("Home", "News", "Sport", "Culture", "Travel", "Shop", "About us", "Contact", "Log in", "Search"),
        ("Share on Facebook", "Tweet", "Send by e-mail", "Print"),
        "Related articles",
        "Most read",
        "comments",
        "Reply",
        "Read more",
        "Tags",
        "By",
        "Previous",
        "Next",
        "Contents",
        "Sign up for our newsletter and never miss a story. Your e-mail address will not be passed on.",
        "We use cookies and similar technologies to improve your experience and to show you advertisements. You can "
        "change your choice at any time in the settings.",
        ("Accept all", "Reject", "Settings"),
        "All rights reserved.",
        "Joined",
    ),
    "fr": Labels(
        (
            "Accueil",
            "Actualités",
            "Sport",
            "Culture",
            "Voyages",
            "Boutique",
            "À propos",
            "Contact",
            "Connexion",
            "Chercher",
        ),
        ("Partager sur Facebook", "Tweeter", "Envoyer par e-mail", "Imprimer"),
        "Articles liés",
        "Les plus lus",
        "commentaires",
        "Répondre",
        "Lire la suite",
        "Étiquettes",
        "Par",
        "Précédent",
        "Suivant",
        "Sommaire",
        "Abonnez-vous à notre lettre d'information pour ne rien manquer. Votre adresse ne sera pas transmise "
        "à des tiers.",
        "Nous utilisons des cookies et des technologies similaires pour améliorer votre expérience et vous "
        "proposer des "
        "publicités. Vous pouvez modifier votre choix à tout moment dans les paramètres.",
        ("Tout accepter", "Refuser", "Paramètres"),
        "Tous droits réservés.",
        "Inscrit en",
    ),
    "de": Labels(
        ("Startseite", "Nachrichten", "Sport", "Kultur", "Reisen", "Laden", "Über uns", "Kontakt", "Anmelden", "Suche"),
        ("Auf Facebook teilen", "Twittern", "Per E-Mail senden", "Drucken"),
        "Verwandte Artikel",
        "Meistgelesen",
        "Kommentare",
        "Antworten",
        "Weiterlesen",
        "Schlagwörter",
        "Von",
        "Zurück",
        "Weiter",
        "Inhalt",
        "Melden Sie sich für unseren Newsletter an und verpassen Sie nichts mehr. Ihre Adresse geben wir nicht weiter.",
        "Wir verwenden Cookies und ähnliche Techniken, um Ihr Erlebnis zu verbessern und Ihnen Werbung zu zeigen. Sie "
        "können Ihre Wahl jederzeit in den Einstellungen ändern.",
        ("Alle annehmen", "Ablehnen", "Einstellungen"),
        "Alle Rechte vorbehalten.",
        "Dabei seit",
    ),
    "es": Labels(
        (
            "Inicio",
            "Noticias",
            "Deportes",
            "Cultura",
            "Viajes",
            "Tienda",
            "Quiénes somos",
            "Contacto",
            "Entrar",
            "Buscar",
        ),
        ("Compartir en Facebook", "Tuitear", "Enviar por correo", "Imprimir"),
        "Artículos relacionados",
        "Lo más leído",
        "comentarios",
        "Responder",
        "Leer más",
        "Etiquetas",
        "Por",
        "Anterior",
        "Siguiente",
        "Índice",
        "Suscríbase a nuestro boletín y no se pierda ninguna noticia. No compartiremos su dirección de "
        "correo con nadie.",
        "Utilizamos cookies y tecnologías similares para mejorar su experiencia y mostrarle publicidad. "
        "Puede cambiar su "
        "elección en cualquier momento en los ajustes.",
        ("Aceptar todo", "Rechazar", "Ajustes"),
        "Todos los derechos reservados.",
        "Miembro desde",
    ),
    "it": Labels(
        (
            "Pagina iniziale",
            "Notizie",
            "Sport",
            "Cultura",
            "Viaggi",
            "Negozio",
            "Chi siamo",
            "Contatti",
            "Accedi",
            "Cerca",
        ),
        ("Condividi su Facebook", "Twitta", "Invia per e-mail", "Stampa"),
        "Articoli correlati",
        "I più letti",
        "commenti",
        "Rispondi",
        "Continua a leggere",
        "Etichette",
        "Di",
        "Precedente",
        "Successivo",
        "Indice",
        "Iscriviti alla nostra newsletter e non perderti nessuna notizia. Il tuo indirizzo non sarà ceduto a terzi.",
        "Usiamo i cookie e tecnologie simili per migliorare la tua esperienza e mostrarti pubblicità. Puoi "
        "cambiare la tua "
        "scelta in ogni momento nelle impostazioni.",
        ("Accetta tutto", "Rifiuta", "Impostazioni"),
        "Tutti i diritti riservati.",
        "Iscritto dal",
    ),
    "pt": Labels(
        (
            "Início",
            "Notícias",
            "Desporto",
            "Cultura",
            "Viagens",
            "Loja",
            "Quem somos",
            "Contacto",
            "Entrar",
            "Procurar",
        ),
        ("Partilhar no Facebook", "Tweetar", "Enviar por e-mail", "Imprimir"),
        "Artigos relacionados",
        "Mais lidos",
        "comentários",
        "Responder",
        "Ler mais",
        "Etiquetas",
        "Por",
        "Anterior",
        "Seguinte",
        "Conteúdo",
        "Subscreva o nosso boletim e não perca nenhuma notícia. O seu endereço não será partilhado com terceiros.",
        "Utilizamos cookies e tecnologias semelhantes para melhorar a sua experiência e mostrar-lhe publicidade. Pode "
        "alterar a sua escolha a qualquer momento nas definições.",
        ("Aceitar tudo", "Rejeitar", "Definições"),
        "Todos os direitos reservados.",
        "Membro desde",
    ),
}
